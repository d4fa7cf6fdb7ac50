"""Model access: chat client, embedded server, model store."""
