"""Bringing a repository to git kit and away from it: history rewritten, other tools read."""
