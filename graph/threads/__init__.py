"""A thread over several questions and runs: its memory, its kept choices, and states of earlier versions."""
