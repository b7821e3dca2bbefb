"""Errors of loading and resuming that a caller may want to catch."""


class CheckpointError(ValueError):
    """There is no checkpoint, or it cannot be read."""


class CheckpointMismatchError(CheckpointError):
    """The checkpoint belongs to another model or another run."""
