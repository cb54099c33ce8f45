"""Taking blobs out of the store that are not needed here and that the remote is shown to keep."""
