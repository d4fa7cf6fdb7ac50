"""Where the model is: chat client, embedded server, model store."""
