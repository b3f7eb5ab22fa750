"""The command line: ``fastmlp COMMAND``, or ``python -m fastmlp COMMAND``.

``main`` parses the arguments; each command is a module with ``add`` and ``run``.
"""

from .main import main

__all__ = ["main"]
