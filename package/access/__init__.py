"""Access to every HTTP server: where it listens, which hosts and pages may call, and callers by their keys."""
