"""The caller's tools and functions: their arguments, their time limits, the executor and the audit log."""
