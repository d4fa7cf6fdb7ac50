"""Agents: one agent a file; its prompt, its messages, and how its reply is read."""
