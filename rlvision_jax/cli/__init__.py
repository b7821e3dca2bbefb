"""The command `rlvision`."""
