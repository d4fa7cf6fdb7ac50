"""Forms of requests and answers of the HTTP app: bodies, choices, examples, and their description."""
