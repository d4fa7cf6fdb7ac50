"""The door of every HTTP server: where to listen, which hosts and pages may call, and callers by their tokens."""
