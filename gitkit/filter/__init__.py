"""What Git runs for every file under `filter=kit`."""
