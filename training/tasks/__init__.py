"""The four tasks of the model, one file each: training rows, and the score of a reply."""
