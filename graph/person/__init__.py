"""The person in a run: the form of a question, questions back, and approval of queries."""
