"""Model files taken apart, put together again, and changed."""

import json
import random
import struct
from collections.abc import Iterator
from typing import Any, NamedTuple

Place = tuple[Any, ...]
# In place of any value of a document.
JUNK: list[Any] = [
    None, True, False, 0, 1, -1, 3, 10**9, 2**63, -(2**63), 2**70, 1.5, -0.5, 1e300, "", "a",
    "auto", "float32", "x" * 300, [], [1], ["a"], {}, {"a": 1}, {"$array": "float64"},
    {"$float": "nan"}, {"$float": "inf"}, {"$tuple": []}, {"$tuple": [1, 2]}, {"$list": "str"},
    {"$object": ["Huber", {}]}, {"$dtype": "float64"}, {"$scalar": ["float32", 1.5]},
    {"$objects": [[1], ["a"]]}, {"$dict": [[1, 2]]},
]  # fmt: skip
NAMES = "a", "fit", "model_", "__class__", "$x", "predict", "_fitting", "zz_"


class Parts(NamedTuple):
    """The tensors' header, the document, and the bytes of the tensors."""

    header: dict[str, Any]
    document: dict[str, Any]
    data: bytes

    def content(self, **metadata: Any) -> bytes:
        """The file that consists of these."""
        metadata = {"fastmlp": json.dumps(self.document), **metadata}
        return joined(json.dumps({"__metadata__": metadata, **self.header}), self.data)


def joined(header: str, data: bytes = b"") -> bytes:
    """A file of a header and data."""
    encoded = header.encode()
    return struct.pack("<Q", len(encoded)) + encoded + data


def parts_of(content: bytes) -> Parts:
    """The parts of a model file."""
    end = 8 + int.from_bytes(content[:8], "little")
    header = json.loads(content[8:end])
    return Parts(header, json.loads(header.pop("__metadata__")["fastmlp"]), content[end:])


def places(value: Any, place: Place = ()) -> Iterator[Place]:
    """The places of all values in a document but itself."""
    if isinstance(value, dict | list):
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            yield (*place, key)
            yield from places(item, (*place, key))


def at(value: Any, place: Place) -> Any:
    for key in place:
        value = value[key]
    return value


def mutated(value: Any, rng: random.Random) -> Any:
    """A copy of a document in which something is replaced, missing, moved, or added."""
    value = json.loads(json.dumps(value))
    place = rng.choice(list(places(value)))
    holder, key, what = at(value, place[:-1]), place[-1], rng.random()
    junk = json.loads(json.dumps(rng.choice(JUNK)))
    if what < 0.6:
        holder[key] = junk
    elif what < 0.75:
        del holder[key]
    elif what < 0.9:
        holder[key] = json.loads(json.dumps(at(value, rng.choice(list(places(value))))))
    elif isinstance(holder, list):
        holder.append(junk)
    else:
        holder[rng.choice(NAMES)] = junk
    return value
