"""Parsing of JSON that may be hostile, within limits."""

import json
import math
import sys
from typing import Any

from .errors import HEADER_ITEMS, INTEGER_BITS, damaged

# Digits of the largest integer, with a sign.
_DIGITS = math.ceil(INTEGER_BITS * math.log10(2)) + 1


def parse_json(text: str) -> Any:
    """Parse JSON of a limited number of items, with distinct keys and numbers of limited size."""
    items = sum(map(text.count, ",[{"))
    if items > HEADER_ITEMS:
        damaged(f"its header has {items} items, more than {HEADER_ITEMS}")
    try:
        return json.loads(
            text, object_pairs_hook=_distinct, parse_int=_integer, parse_float=_finite,
            parse_constant=_finite,
        )  # fmt: skip
    except RecursionError:
        damaged("its header is nested too deeply")
    except json.JSONDecodeError as error:
        damaged(f"its header is no JSON, {error}")


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = {sys.intern(name): value for name, value in pairs}
    if len(found) < len(pairs):
        damaged("its header has a name twice")
    return found


def _integer(text: str) -> int:
    if len(text) > _DIGITS:
        damaged(f"its header has an integer of {len(text)} digits")
    return int(text)


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        damaged(f"its header has the number {text[:20]}")
    return value
