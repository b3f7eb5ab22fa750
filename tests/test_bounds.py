"""Kernels work on bare pointers: they read and write what is theirs, and not a byte beside it."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from itertools import cycle, product
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pytest

from fastmlp import training
from fastmlp.kernels.plugins import rules
from fastmlp.kernels.products.blocks import MANY_SAMPLES, PACKED_INPUTS
from tests.fences import fences
from tests.kernels import needs_compiler
from tests.test_training import RULES, images, problem, trainer_from

pytestmark = [
    needs_compiler,
    pytest.mark.skipif(sys.platform == "win32", reason="pages are protected by mprotect"),
]

Array = npt.NDArray[Any]
ROOT = Path(__file__).parents[1]

# Layer sizes; rows, batch size, and rows that pass through the network at a time.
SIZES = [
    (1, 2), (127, 9), (33, 127),
    (1, 1, 2), (2, 9, 31), (31, 130, 9), (128, 127, 33),
    (9, 2, 33, 127), (33, 127, 130, 2),
    (2, 33, 9, 1, 31), (31, 130, 127, 2, 9),
]  # fmt: skip
BATCHES = [
    (9, 1, 1024), (31, 2, 1024), (33, 33, 1024), (97, 64, 1024), (75, 31, 9), (131, 127, 33),
]  # fmt: skip
PACKED = (PACKED_INPUTS + 37, 300, 3), (MANY_SAMPLES + 45, MANY_SAMPLES + 13, 1024)
KINDS = ("in place", "scaled", "uint8")
PREDICTED = (1, 2, 95, 97)


class Fit(NamedTuple):
    """An epoch of training."""

    sizes: tuple[int, ...]
    rows: int
    batch_size: int
    chunk: int
    rule: str
    kind: str
    skips_zeros: bool
    threads: int

    def outcome(self, dtype: str) -> list[Array]:
        weights, X, labels, options = network(self, self.rows, dtype)
        options |= RULES[self.rule][0] | {"epochs": 1, "batch_size": self.batch_size}
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(training, "MAX_CHUNK", self.chunk)
            patch.setattr(training, "_has_many_zeros", lambda _: self.skips_zeros)
            trainer = trainer_from(weights, **options).fit(X, labels)
        history = [np.array(trainer.history[name]) for name in ("loss", "accuracy")]
        return trainer.get_weights() + history


class Prediction(NamedTuple):
    """What a network says of some rows, and what it scores."""

    sizes: tuple[int, ...]
    kind: str
    threads: int

    def outcome(self, dtype: str) -> list[Array]:
        weights, X, labels, options = network(self, max(PREDICTED), dtype)
        trainer, results = trainer_from(weights, **options), []
        for n in PREDICTED:
            results.append(trainer.predict_proba(X[:n]))
            results.append(np.array([*trainer.evaluate(X[:n], labels[:n]).values()]))
        return results


def network(case: Any, n: int, dtype: str) -> tuple[list[Array], Array, Array, dict[str, Any]]:
    """Weights, rows, labels and the options that the kind of rows and the threads need."""
    weights, X, labels = problem(case.sizes, n)
    X = images(*X.shape) if case.kind == "uint8" else X.astype(dtype)
    scale = {"in place": 1.0, "scaled": 0.5, "uint8": 1 / 256}[case.kind]
    return weights, X, labels, {"input_scale": scale, "threads": case.threads, "dtype": dtype}


def cases() -> Iterator[Any]:
    """Each network with each batch and each rule, everything else in turn; and its predictions."""
    others = cycle(product(KINDS, (False, True), (1, 2)))
    for sizes, batch in [*product(SIZES, BATCHES), PACKED, PACKED, PACKED]:
        for rule in RULES:
            yield Fit(sizes, *batch, rule, *next(others))
        next(others)  # else the same would meet the same rules
    threads = cycle((1, 2))
    yield from (Prediction(*case, next(threads)) for case in product(SIZES, KINDS))


def check(dtype: str) -> None:
    """All cases in this process, which dies at the one that leaves its bounds."""
    # Those that a Trainer can be told to take.
    assert set(RULES) <= set(rules.RULES)
    for case in cases():
        outcomes = []
        # First among fences: elsewhere a fault may do anything.
        for place in ("end", "start"):
            print(case, "fenced at the", place, flush=True)
            with fences(place):
                outcomes.append(case.outcome(dtype))
        wanted = case.outcome(dtype)
        for results in outcomes:
            assert all(map(np.array_equal, results, wanted))


def exit_code(case: Any, shortened: str) -> int:
    """What a child process ends with if an array of a case is too short."""
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    try:
        with fences("end", shortened):
            case.outcome("float32")
    except AssertionError:
        os._exit(1)
    os._exit(0)


def check_fences() -> None:
    fit = Fit((9, 33, 2), 31, 7, 1024, "momentum", "scaled", skips_zeros=True, threads=1)
    prediction = Prediction((9, 33, 2), "scaled", threads=1)
    for case, names in (
        (fit, ("input", "order", "labels", "rates", "row_masks")),
        (prediction, ("input", "order", "labels", "predictions", "totals")),
    ):
        assert exit_code(case, "") == 0
        assert exit_code(case, "memory") == 1
        for name in names:
            assert exit_code(case, name) == -signal.SIGSEGV, name


def run(code: str) -> tuple[int, str]:
    """Run Python code in a process of its own; returns its exit code, and the end of what it
    told."""
    setting = os.environ | {"NUMBA_NUM_THREADS": "2"}
    done = subprocess.run(
        [sys.executable, "-X", "faulthandler", "-c", f"from tests.test_bounds import *; {code}"],
        cwd=ROOT, env=setting, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    told = done.stdout.splitlines()[-1:] + done.stderr.splitlines()[-25:]
    return done.returncode, "\n".join(told)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_nothing_beside_the_operands_is_touched(dtype: str) -> None:
    code, told = run(f"check({dtype!r})")
    assert code == 0, told


def test_a_step_beyond_is_noticed() -> None:
    code, told = run("check_fences()")
    assert code == 0, told
