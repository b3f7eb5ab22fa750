"""Predictions and scores of a network on arrays."""
