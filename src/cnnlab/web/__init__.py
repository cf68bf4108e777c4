"""Pages that show a network at work in a browser, without a server."""
