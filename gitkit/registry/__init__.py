"""Blobs and manifests in OCI registries. Imported only where the network is needed: it loads urllib3."""
