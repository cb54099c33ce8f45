"""Moving blobs between the clone and its remote, and checking them."""
