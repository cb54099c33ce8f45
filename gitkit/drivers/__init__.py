"""What Git runs in place of its own text diff and merge, for files that are pointers to it (``diff=kit merge=kit``)."""
