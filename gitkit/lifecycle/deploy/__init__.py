"""Deploying: the kit that an environment runs, as files in a folder of this machine."""
