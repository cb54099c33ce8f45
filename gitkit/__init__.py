"""git kit: Git as a model registry."""

__version__ = "0.1.0"
