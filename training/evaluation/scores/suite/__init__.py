"""The test suite of our own: changed clones of the databases, and accuracy on all of them."""
