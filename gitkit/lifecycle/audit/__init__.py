"""The audit: whether the journal, and what it says about branches, tags, registry and policy, is what happened."""
