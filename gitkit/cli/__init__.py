"""What talks to the person: command table, rendering, progress; one file per command."""
