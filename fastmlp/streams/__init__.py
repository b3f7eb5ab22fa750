"""Rows that lie on disk or are spread over files: read in groups, in any order."""

from .groups import ArrayGroups, RowGroups

__all__ = ["ArrayGroups", "RowGroups"]
