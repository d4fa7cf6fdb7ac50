"""Every HTML page of the project, from one autoescaping template engine: a run, and a comparison of two evaluations."""
