"""Random git and git kit commands, some of them killed, in a few clones of one repository: `make soak`."""
