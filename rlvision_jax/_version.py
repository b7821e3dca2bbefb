"""The version, alone, so that every level can record it."""

__version__ = "0.1.0"
