"""The site: pages, and the code that draws their pictures."""
