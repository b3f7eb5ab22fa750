"""Rows of files and other sources in their order, in batches."""

import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

from ..data.messages import some
from .arrow import pa

BATCH_ROWS = 8192
BUFFER_BYTES = 1 << 16


class Scan(Protocol):
    """Rows that can be read in their order, again and again."""

    @property
    def schema(self) -> Any:
        """The ``pyarrow.Schema`` of all columns."""

    def batches(self, columns: Sequence[str]) -> Iterator[Any]:
        """Yield tables of some columns."""


@contextmanager
def reading(path: str) -> Iterator[None]:
    """Name the file in errors of its content."""
    try:
        yield
    except (pa.ArrowInvalid, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        first = str(error).partition("\n")[0]
        raise ValueError(f"{path} cannot be read: {first}") from error


def checked(schema: Any, path: str) -> Any:
    """Return a schema whose names differ, with types in place of views, for which pyarrow lacks
    functions."""
    if twice := [name for name, count in Counter(schema.names).items() if count > 1]:
        raise ValueError(f"{path} has several columns named {some(twice)}")
    fields = [field.with_type(_without_view(field.type)) for field in schema]
    return pa.schema(fields, schema.metadata)


class ArrowScan:
    """Rows of an Arrow file, also of the format for streams."""

    def __init__(self, path: str) -> None:
        self._path = path
        with reading(path):
            self.schema = checked(self._open().schema, path)

    def batches(self, columns: Sequence[str]) -> Iterator[Any]:
        """Yield tables of some columns."""
        with reading(self._path):
            reader = self._open(sorted(map(self.schema.names.index, columns)))
            if hasattr(reader, "get_batch"):
                found = map(reader.get_batch, range(reader.num_record_batches))
            else:
                found = iter(reader)
            for batch in found:
                yield from _short(batch, columns, self.schema)

    def _open(self, fields: list[int] | None = None) -> Any:
        options = pa.ipc.IpcReadOptions(use_threads=False, included_fields=fields or [])
        try:
            return pa.ipc.open_file(pa.OSFile(self._path), options=options)
        except pa.ArrowInvalid:
            return pa.ipc.open_stream(pa.OSFile(self._path), options=options)


class DatasetScan:
    """Rows of a ``pyarrow.dataset.Dataset``."""

    def __init__(self, dataset: Any) -> None:
        self._dataset, self.schema = dataset, checked(dataset.schema, "the dataset")

    def batches(self, columns: Sequence[str]) -> Iterator[Any]:
        """Yield tables of some columns."""
        datasets, options = sys.modules["pyarrow.dataset"], None
        if isinstance(getattr(self._dataset, "format", None), datasets.ParquetFileFormat):
            # A buffer before the scan would hold all of a file until its end.
            options = datasets.ParquetFragmentScanOptions(
                use_buffered_stream=True, buffer_size=BUFFER_BYTES, pre_buffer=False
            )
        batches = self._dataset.to_batches(
            columns=list(columns), batch_size=BATCH_ROWS, batch_readahead=1, fragment_readahead=1,
            use_threads=False, fragment_scan_options=options,
        )  # fmt: skip
        for batch in batches:
            yield from _short(batch, columns, self.schema)


class LazyScan:
    """Rows of a ``polars.LazyFrame``, which writes them to a temporary file: all versions do that
    in bounded memory, where the query allows it."""

    def __init__(self, frame: Any) -> None:
        self._frame = frame
        with _written(frame.head(0)) as scan:
            self.schema = scan.schema

    def batches(self, columns: Sequence[str]) -> Iterator[Any]:
        """Yield tables of some columns."""
        with _written(self._frame.select(list(columns))) as scan:
            yield from scan.batches(columns)


@contextmanager
def _written(frame: Any) -> Iterator[ArrowScan]:
    """A temporary file with the rows of a lazy frame."""
    with tempfile.TemporaryFile() as file:
        path = f"/dev/fd/{file.fileno()}"
        frame.sink_ipc(path)
        yield ArrowScan(path)


def _short(batch: Any, columns: Sequence[str], schema: Any) -> Iterator[Any]:
    wanted = pa.schema([schema.field(name) for name in columns])
    table = pa.Table.from_batches([batch]).select(columns).cast(wanted)
    for start in range(0, len(table), BATCH_ROWS):
        yield table.slice(start, BATCH_ROWS)


def _without_view(kind: Any) -> Any:
    if pa.types.is_dictionary(kind):
        return pa.dictionary(kind.index_type, _without_view(kind.value_type), kind.ordered)
    return pa.large_string() if str(kind) == "string_view" else kind
