"""OCI registries over HTTP."""
