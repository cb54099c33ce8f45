"""Content-addressed folders: the local store and the layout-folder remote are both OCI image layouts."""
