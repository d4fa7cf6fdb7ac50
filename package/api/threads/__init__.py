"""Threads of the HTTP app as they are kept: checkpoints of runs, rows of threads, outcomes of turns."""
