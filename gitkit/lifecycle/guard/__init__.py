"""The guard of a Git server: which pushes its ``update`` and ``pre-receive`` hooks refuse (``docs/server-hook.md``)."""
