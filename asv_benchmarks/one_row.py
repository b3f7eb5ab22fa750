"""Microseconds for one row: calls from compiled code, calls from Python, and other systems.

``python -m asv_benchmarks.one_row`` prints a table for 28-64-2 and 784-128-10 in float32: a call in
a loop of compiled code; the prediction kernel itself, called in such a loop with everything
prepared; ``predict`` and ``predict_proba`` from Python; onnxruntime on one thread, and
scikit-learn, where they are installed. Best of five.
"""

import time
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numba
import numpy as np
import numpy.typing as npt

from asv_benchmarks import as_they_come, options
from fastmlp import Trainer

SIZES = {"28-64-2": (28, 64, 2), "784-128-10": (784, 128, 10)}
ROUNDS, SECONDS = 5, 0.2


def in_turn(predict: Any, X: Any, out: Any, count: int) -> None:
    """Call the network for one row after the other."""
    for i in range(count):
        predict(X[i % len(X)], out)


call_many = numba.njit(in_turn)


def problem(name: str) -> tuple[Trainer, npt.NDArray[np.float32], npt.NDArray[np.int64]]:
    """A trainer after an epoch, and its rows and labels."""
    d, hidden, c = SIZES[name]
    rng = np.random.default_rng(0)
    X, Y = rng.standard_normal((1_000, d), np.float32), np.arange(1_000) % c
    settings = {"hidden": hidden, "epochs": 1, "seed": 0, "scaling": None, **as_they_come(Trainer)}
    return Trainer(**settings).fit(X, Y), X, Y


class CompiledCall:
    """A thousand calls for one row each, from compiled code."""

    params = (list(SIZES),)
    param_names = ("sizes",)

    def setup(self, name: str) -> None:
        trainer, self.X, _ = problem(name)
        self.predict, self.out = trainer.compiled(), np.empty(SIZES[name][2], np.float32)
        self.time_1000_rows()

    def time_1000_rows(self, *_: str) -> None:
        call_many(self.predict, self.X, self.out, 1_000)


def microseconds(run: Callable[[int], Any]) -> float:
    """Time of one of the calls that ``run(count)`` makes: the best of some rounds."""
    count, took = 1, 0.0
    while took < SECONDS / 4:
        count *= 2
        start = time.perf_counter()
        run(count)
        took = time.perf_counter() - start
    times = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        run(count)
        times.append((time.perf_counter() - start) / count)
    return 1e6 * min(times)


def repeated(function: Callable[[], Any]) -> Callable[[int], None]:
    """Calls from Python."""

    def run(count: int) -> None:
        for _ in range(count):
            function()

    return run


def kernel_of(trainer: Trainer, X: npt.NDArray[np.float32]) -> Callable[[int], None]:
    """The prediction kernel for one row that is read in place."""
    from fastmlp.kernels.plugins.losses import OUTPUTS
    from fastmlp.kernels.runs.jobs import prediction_job
    from fastmlp.kernels.runs.launch import run_entry
    from fastmlp.kernels.runs.layout import aligned_zeros
    from fastmlp.kernels.runs.plan import make_plan
    from fastmlp.kernels.runs.predict import predict

    network = trainer.model_.network
    plan = make_plan(
        network.layer_sizes, network.dtype, chunk=1, together=False, consecutive=True,
        activations=network.activations,
    )  # fmt: skip
    memory = aligned_zeros(plan.memory_size, network.dtype)
    memory[: network.packed.size] = network.packed
    job = prediction_job(
        plan, memory, reader="consecutive", kernel=OUTPUTS["softmax_cross_entropy"],
        activations=network.activations, totals=False,
    )  # fmt: skip
    job.set_rows(X[:1], np.zeros(1, np.int64), in_place=True)
    job.set(first=0, last=1)
    job.keep(predictions=np.empty((1, network.layer_sizes[-1]), np.float32))
    entry, addresses = job.address(predict), (memory.ctypes.data, plan.runs.ctypes.data)

    def in_turn(entry: int, memory: int, runs: int, count: int) -> None:
        for _ in range(count):
            run_entry(entry, memory, runs, 0)

    compiled = numba.njit(in_turn)

    def of_job(count: int) -> None:
        assert job.runs["n_rows"][0] == 1  # and keeps the memory alive
        compiled(entry, *addresses, count)

    return of_job


def onnx_session(trainer: Trainer, X: npt.NDArray[np.float32]) -> Callable[[int], None]:
    """onnxruntime, on one thread."""
    import tempfile
    from pathlib import Path

    import onnxruntime

    chosen = onnxruntime.SessionOptions()
    chosen.intra_op_num_threads = chosen.inter_op_num_threads = 1
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "network.onnx"
        trainer.to_onnx(path)
        session = onnxruntime.InferenceSession(path, chosen)
    given = {"X": X[:1].astype(np.float64)}
    return repeated(lambda: session.run(["probabilities"], given))


def sklearn_classifier(
    hidden: int, X: npt.NDArray[np.float32], Y: npt.NDArray[np.int64]
) -> Callable[[int], None]:
    """scikit-learn's network of the same size."""
    from sklearn.neural_network import MLPClassifier

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = MLPClassifier(hidden, max_iter=1).fit(X, Y)
    row = X[:1]
    return repeated(lambda: model.predict_proba(row))


def rows_of_the_table(name: str) -> Iterator[tuple[str, float]]:
    trainer, X, Y = problem(name)
    predict, out, row = trainer.compiled(), np.empty(SIZES[name][2], np.float32), X[:1]
    calls: dict[str, Callable[[], Callable[[int], Any]]] = {
        "compiled call": lambda: lambda count: call_many(predict, X, out, count),
        "its kernel": lambda: kernel_of(trainer, X),
        "compiled network, from Python": lambda: repeated(lambda: predict(X[0])),
        "predict_proba": lambda: repeated(lambda: trainer.predict_proba(row)),
        "predict": lambda: repeated(lambda: trainer.predict(row)),
        "onnxruntime": lambda: onnx_session(trainer, X),
        "scikit-learn": lambda: sklearn_classifier(SIZES[name][1], X, Y),
    }
    for label, make in calls.items():
        try:
            run = make()
        except ImportError:
            continue
        run(1)
        yield label, microseconds(run)


def main() -> None:
    parser = options.parser_of(__file__, __doc__)
    options.add_names(parser, "--sizes", SIZES, SIZES)
    for name in parser.parse_args().sizes:
        for label, took in rows_of_the_table(name):
            print(f"{name:10}  {label:29} {took:8.2f} us", flush=True)


if __name__ == "__main__":
    main()
