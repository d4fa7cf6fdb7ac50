"""Embedded server: llama.cpp on this machine, in a child process."""
