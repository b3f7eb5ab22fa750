"""The pictures of the site: ``python -m docs.drawing``."""
