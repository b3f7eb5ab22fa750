"""Rows that lie on disk or are spread over files: read in groups, in any order."""

from .groups import ArrayGroups, RowGroups, open_groups
from .labels import Total
from .survey import Survey, joined, part_survey

__all__ = ["ArrayGroups", "RowGroups", "Survey", "Total", "joined", "open_groups", "part_survey"]
