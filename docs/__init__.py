"""The site: pages, and the scripts that draw their pictures."""
