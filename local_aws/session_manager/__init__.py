"""Session Manager in miniature: the API, the data channel, and a substitute for AWS's plugin."""
