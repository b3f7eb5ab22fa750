"""Rows that lie on disk or are spread over files: read in groups, in any order."""

from .groups import ArrayGroups, RowGroups
from .sources import open_groups

__all__ = ["ArrayGroups", "RowGroups", "open_groups"]
