"""A fit: its dataset, loop, epochs, learning rates, progress, and diagnostics."""
