"""The only code that runs git or reads .git."""
