"""The four tasks of the model, one file each: rows to train on, and the score of a reply."""
