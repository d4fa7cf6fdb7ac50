"""Whether an answer is right, and what a run of many questions comes to."""
