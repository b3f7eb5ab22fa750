"""A fit: what it was given, its loop, an epoch, and what is said of it."""
