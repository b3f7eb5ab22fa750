"""The pictures of pages, and the functions that draw them."""

from collections.abc import Callable
from typing import Any

Names = dict[str, Any]
# By page: the number of panels, and the function that fills them.
PICTURES: dict[str, tuple[int, Callable[..., None]]] = {}


def picture(page: str, n_panels: int) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Register a function ``(names, *axes)`` that draws the picture of a page."""

    def register(draw: Callable[..., None]) -> Callable[..., None]:
        PICTURES[page] = n_panels, draw
        return draw

    return register
