"""Pure values: bytes in, values out. No files, sockets, environment or clock."""
