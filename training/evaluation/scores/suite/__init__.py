"""Our own test suite: perturbed clones of the databases, and accuracy on all of them."""
