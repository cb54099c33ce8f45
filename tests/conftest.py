"""Fixtures that every test may ask for."""

pytest_plugins = ["tests.lib.repo_fixtures", "tests.lib.registry_fixtures"]
