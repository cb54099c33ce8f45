"""One module per family of kits: how its manifest and config say which file is where."""
