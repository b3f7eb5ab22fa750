"""What is learned of the features: how rows as they are given become those of the network."""

from .columns import Columns, learn_columns

__all__ = ["Columns", "learn_columns"]
