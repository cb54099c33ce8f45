"""Environments: which version runs where, and how it got there."""
