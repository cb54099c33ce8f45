"""One module per kit format."""
