"""Temporary copies of rows on disk that can be read in any order.

A copy is an Arrow file of short pieces. A group is pieces from all over the file, so that rows
that are sorted by time or by class are mixed. Reads are not mapped into memory, which would count
as resident. The file is without a name while it is used: it is gone with the last reader, also
after a crash.
"""

import errno
import tempfile
from collections.abc import Iterator
from typing import Any

import numpy as np

from .arrow import pa
from .spread import spread

_PIECES_PER_GROUP = 16
_LEAST_PIECE = 512  # rows: of 784 columns, pieces of 256 take 1.6 times as long


class Copy:
    """Rows in groups of pieces.

    Parameters
    ----------
    batches : iterator of tables
    schema : pyarrow.Schema
        Their columns, without dictionaries.
    group_rows : int
        Rows of a group, about.
    shuffle : bool
        Whether a group has pieces from all over the rows, or neighbouring ones.

    Raises
    ------
    OSError
        If there is no room.
    """

    def __init__(
        self, batches: Iterator[Any], schema: Any, group_rows: int, *, shuffle: bool
    ) -> None:
        rows = max(_LEAST_PIECE, group_rows // _PIECES_PER_GROUP)
        self._file, sizes = _written(_in_pieces(batches, schema, rows), schema)
        order, step = range(len(sizes)), max(1, group_rows // rows)
        if shuffle and sizes:
            self._groups = spread(order, -(-len(sizes) // step), np.random.default_rng(0))
        else:
            self._groups = [list(order[i : i + step]) for i in range(0, len(sizes), step)]
        self.sizes = [int(np.take(sizes, pieces).sum()) for pieces in self._groups]

    def read(self, number: int) -> Any:
        """Read a group, as a table."""
        options = pa.ipc.IpcReadOptions(use_threads=False)
        reader = pa.ipc.open_file(self._file, options=options)
        pieces = [reader.get_batch(piece) for piece in self._groups[number]]
        return pa.Table.from_batches(pieces)


def _written(pieces: Iterator[Any], schema: Any) -> tuple[Any, list[int]]:
    """Write pieces; return the file, opened for reading, and their sizes."""
    sizes = []
    with tempfile.TemporaryFile() as file:
        path = f"/dev/fd/{file.fileno()}"
        try:
            with pa.OSFile(path, "wb") as sink, pa.ipc.new_file(sink, schema) as writer:
                for piece in pieces:
                    writer.write_batch(piece)
                    sizes.append(piece.num_rows)
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise
            where = f"no room in {tempfile.gettempdir()}, which TMPDIR names, for a temporary copy"
            raise OSError(errno.ENOSPC, where) from error
        return pa.OSFile(path), sizes


def _in_pieces(tables: Iterator[Any], schema: Any, rows: int) -> Iterator[Any]:
    """Cut tables to record batches of a number of rows, the last one of fewer."""
    rest = schema.empty_table()
    for table in tables:
        rest = pa.concat_tables([rest, table]).combine_chunks()
        full = rest.num_rows - rest.num_rows % rows
        yield from rest.slice(0, full).to_batches(max_chunksize=rows)
        rest = rest.slice(full)
    yield from rest.combine_chunks().to_batches()
