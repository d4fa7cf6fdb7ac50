"""Figures of a run, comparisons of runs, and the tables that print them."""
