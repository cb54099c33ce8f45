"""Setting up: Git's configuration and hooks, a repository's files, and what is wrong with any of it."""
