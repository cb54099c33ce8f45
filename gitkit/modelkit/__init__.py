"""Kits: what a commit becomes in a registry."""
