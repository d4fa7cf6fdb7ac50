"""Resolving every name of a query before it is sent."""
