"""What makes the model and what measures it: data sets, scores, evaluation."""
