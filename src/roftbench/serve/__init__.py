"""A local page for a saved model: a server at 127.0.0.1 and a process that holds the model."""
