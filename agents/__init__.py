"""Agents: one file for each agent, with its prompt, its messages, and the reading of its reply."""
