"""Data in chunks."""

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from os import PathLike
from typing import Any

from .messages import shown
from .targets import Samples, as_samples


class Chunks:
    """The chunks of each epoch; the very first can be read before the first epoch."""

    def __init__(self, make: Callable[[], Iterable[Any]]) -> None:
        self._make = make
        self._seen: list[Samples] = []
        self._rest: Iterator[Samples] | None = None

    def first(self) -> Samples:
        """Return the first chunk, which :meth:`epoch` then yields again.

        Raises
        ------
        ValueError
            If there is none.
        """
        made = self._make()
        self._rest = _checked(made)
        self._seen = list(islice(self._rest, 1))
        if not self._seen:
            why = ""
            if isinstance(made, Iterator):
                why = f": this {type(made).__name__} is at its end; give a new one, or a function"
            raise ValueError(f"chunks must hold at least one (X, Y); got none{why}")
        return self._seen[0]

    def epoch(self) -> Iterator[Samples]:
        """Yield all chunks of the next epoch, keeping none of them."""
        rest = _checked(self._make()) if self._rest is None else self._rest
        self._rest = None
        if self._seen:
            yield self._seen.pop()
        yield from rest


def are_chunks(chunks: Any, target: Any, **columns: Any) -> bool:
    """Whether ``chunks`` are parts of data, rather than a path, a table, an array, or groups.

    Raises
    ------
    TypeError, ValueError
        If columns are given beside parts or groups, or ``target`` is not given beside other data.
    """
    # Not of the object: a lazy frame warns when it is asked for its schema.
    names = "shape", "schema", "collect_schema"
    is_whole = isinstance(chunks, str | PathLike) or (
        any(hasattr(type(chunks), name) for name in names) and not callable(chunks)
    )
    if is_whole:
        if target is None:
            wanted = "the name of a column, or an array of targets for an array of features"
            raise TypeError(f"target must be {wanted}; got None")
        return False
    if isinstance(chunks, list | tuple) and any(isinstance(c, str | PathLike) for c in chunks):
        raise TypeError(
            "chunks must be one path, of a file or a folder; got several: pass "
            "pyarrow.dataset.dataset(paths)"
        )
    for name, value in {"target": target, **columns}.items():
        if value is not None:
            raise ValueError(
                f"{name} has no effect beside chunks (X, Y) or (X, Y, sample_weight), which have "
                f"their own; got {shown(value)}"
            )
    return not hasattr(chunks, "sizes")


def _checked(chunks: Iterable[Any]) -> Iterator[Samples]:
    for index, chunk in enumerate(chunks):
        yield as_samples(chunk, f"chunk {index}")


def as_chunks(chunks: Any, epochs: int | str) -> Chunks:
    """Wrap an iterable, for one epoch, or a callable, for any number; "auto" suits both.

    Raises
    ------
    TypeError, ValueError
        If ``chunks`` is neither, or is an iterable and there are several epochs.
    """
    if callable(chunks):
        return Chunks(chunks)
    if not isinstance(chunks, Iterable):
        wanted = "an iterable, or a callable that makes one"
        raise TypeError(f"chunks must be {wanted}; got {type(chunks).__name__}")
    if not isinstance(epochs, str) and epochs > 1:
        raise ValueError(
            f"chunks must be a callable that makes an iterable, as epochs={epochs} need several; "
            f"got {type(chunks).__name__}"
        )
    return Chunks(lambda: chunks)
