"""Configurations that several worlds begin with."""

ENVIRONMENTS = """\
[environments.dev]
branch = "dev"
[environments.staging]
branch = "staging"
from = ["dev"]
[environments.prod]
branch = "prod"
from = ["staging"]
"""
