"""Streams from Parquet: memory, seconds, waiting and scores, beside the same fit in memory.

``python -m asv_benchmarks.streams`` writes files of 1,000,000 rows of 50 doubles: in row groups of
8,192 rows, in one row group (PyArrow's default), and sorted by label. For each, and for the rows in
memory, a new process fits 50-128-2 and prints its resident peak (imports included), the seconds
to the end of the first epoch, the median seconds of the others, the share of them that training
waited for rows, and the accuracy on 50,000 other rows. A process before it compiles, and fills the
page cache.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from asv_benchmarks.options import add_count, add_names, parser_of

N_FEATURES, TEST_ROWS, STEP = 50, 50_000, 8_192
CASES = "memory", "groups", "one-group", "sorted"
_rng = np.random.default_rng(0)
DIRECTION = _rng.normal(size=N_FEATURES) / np.sqrt(N_FEATURES)


def rows(count: int, seed: int) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    """Features of any unit, and labels that a linear model does not find."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(count, N_FEATURES))
    signal = X @ DIRECTION + np.sin(2 * X[:, 0]) * X[:, 1] + X[:, 2] * X[:, 3]
    y = (signal + 0.5 * rng.normal(size=count) > 0).astype(np.int64)
    return X * 100 + 1000, y


def write(folder: Path, n_rows: int) -> None:
    """Write the files of the cases."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    parts = [rows(min(STEP, n_rows - k), 1 + k) for k in range(0, n_rows, STEP)]
    X, y = (np.concatenate(part) for part in zip(*parts, strict=True))
    del parts
    table = pa.table({**{f"x{j}": column for j, column in enumerate(X.T)}, "y": y})
    pq.write_table(table, folder / "groups.parquet", row_group_size=STEP)
    pq.write_table(table, folder / "one-group.parquet")
    table = table.take(np.argsort(y, kind="stable"))
    pq.write_table(table, folder / "sorted.parquet", row_group_size=STEP)


def measure(file: Path, case: str, seed: int, epochs: int, scaling: str) -> dict[str, float]:
    """The figures of a fit in this process."""

    from fastmlp import Trainer
    from fastmlp.fitting.ahead import Ahead

    ends: list[float] = []
    waits = [0.0]
    take: Any = Ahead.take

    def timed(self: Any) -> Any:
        start = time.perf_counter()
        item = take(self)
        waits[-1] += time.perf_counter() - start
        return item

    def end_epoch(*_: Any) -> None:
        ends.append(time.perf_counter())
        waits.append(0.0)

    Ahead.take = timed  # type: ignore[method-assign]
    trainer = Trainer(128, epochs=epochs, seed=seed, scaling=scaling, callbacks=end_epoch)
    start = time.perf_counter()
    if case == "memory":
        import pyarrow.parquet as pq

        table = pq.read_table(file.with_stem("groups"))
        trainer.fit(table.drop(["y"]), table["y"])
    else:
        trainer.fit_stream(file, target="y")
    peak = resident_peak()
    took, waited = np.diff([start, *ends]), np.array(waits[:-1])
    X, y = rows(TEST_ROWS, 0)
    names = [f"x{j}" for j in range(N_FEATURES)]
    import pyarrow as pa

    accuracy = trainer.evaluate(pa.table(list(X.T), names=names), y)["accuracy"]
    return {
        "MB": peak, "first": float(took[0]), "epoch": float(np.median(took[1:])),
        "waiting": float(np.median(waited[1:] / took[1:])), "accuracy": accuracy,
    }  # fmt: skip


def resident_peak() -> float:
    """Megabytes; not ``ru_maxrss``, which begins with the memory of the parent process."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return int(status.partition("VmHWM:")[2].split()[0]) / 1000


def in_new_process(*arguments: Any) -> dict[str, float]:
    """The figures of :func:`measure`."""
    command = [sys.executable, "-m", "asv_benchmarks.streams", *map(str, arguments)]
    out = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    figures: dict[str, float] = json.loads(out)
    return figures


def main() -> None:
    """Print the table."""
    parser = parser_of(__file__, __doc__)
    add_count(parser, "--rows", 1_000_000, "rows of the files")
    add_count(parser, "--epochs", 4, "epochs of each fit, at least 2")
    add_count(parser, "--seeds", 1, "fits of each case")
    add_names(parser, "--cases", CASES, CASES)
    parser.add_argument("--folder", help="where the files are, or are written to and stay")
    parser.add_argument("--scaling", default="auto", help="as of Trainer (default: auto)")
    parser.add_argument("--one", nargs=4, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one:
        file, case, seed, epochs = args.one
        figures = measure(Path(file), case, int(seed), int(epochs), args.scaling)
        print(json.dumps(figures))
        return
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(args.folder or temporary)
        if not (folder / "sorted.parquet").exists():
            write(folder, args.rows)
        print(f"{'':10} {'MB':>6} {'first':>7} {'epoch':>7} {'waiting':>8} {'accuracy':>9}")
        for case in args.cases:
            file = folder / f"{case}.parquet"
            scaled = "--scaling", args.scaling, "--one", file, case
            in_new_process(*scaled, 0, 1)
            for seed in range(args.seeds):
                got = in_new_process(*scaled, seed, args.epochs)
                print(
                    f"{case:10} {got['MB']:6.0f} {got['first']:7.2f} {got['epoch']:7.3f} "
                    f"{got['waiting']:8.1%} {got['accuracy']:9.4f}",
                    flush=True,
                )


if __name__ == "__main__":
    main()
