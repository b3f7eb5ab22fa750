"""Kernels work on bare pointers: they read and write what is theirs, and not a byte beside it."""

import os
import random
import signal
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from itertools import cycle, islice
from typing import Any, NamedTuple

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from fastmlp.fitting import memory, zeros
from fastmlp.inference import workspaces as prediction
from fastmlp.inputs import Scaling
from fastmlp.inputs.bins import bins_between
from fastmlp.kernels.plugins import update_rules as rules
from fastmlp.kernels.plugins.activations import ACTIVATIONS
from fastmlp.kernels.plugins.losses import LOSSES, OUTPUTS
from fastmlp.kernels.plugins.readers import READERS
from fastmlp.kernels.products.block_sizes import MANY_SAMPLES, PACKED_INPUTS
from tests.helpers import reference
from tests.helpers.basics import Array, needs_compiler
from tests.helpers.fences import fences
from tests.helpers.losses import KINDS as TARGETS
from tests.helpers.losses import PLAIN, POINTWISE
from tests.helpers.networks import images, problem, trainer_from
from tests.helpers.processes import ROOT
from tests.helpers.rules import RULES

pytestmark = [
    needs_compiler,
    pytest.mark.skipif(sys.platform == "win32", reason="pages are protected by mprotect"),
]


# Layer sizes; rows, batch size, and rows that pass through the network at a time.
SIZES = [
    (1, 2), (127, 9), (33, 127), (9, 1), (31, 33, 1),
    (1, 1, 2), (2, 9, 31), (31, 130, 9), (128, 127, 33),
    (9, 2, 33, 127), (33, 127, 130, 2),
    (2, 33, 9, 1, 31), (31, 130, 127, 2, 9),
]  # fmt: skip
BATCHES = [
    (9, 1, 1024), (31, 2, 1024), (33, 33, 1024), (97, 64, 1024), (75, 31, 9), (131, 127, 33),
]  # fmt: skip
PACKED = (PACKED_INPUTS + 37, 300, 3), (MANY_SAMPLES + 45, MANY_SAMPLES + 13, 1024)
KINDS = ("in place", "scaled", "uint8", "bins", "sparse")
PREDICTED = (1, 2, 95, 97)


# What else happens in an update; fractions that are dropped, of the input too or not.
EXTRAS: dict[str, dict[str, float]] = {
    "nothing": {}, "penalties": {"l2": 1e-3, "l1": 1e-4}, "clipping": {"clip_norm": 1e-2},
    "all": {"l2": 1e-3, "clip_norm": 1e-2, "weight_decay": 0.1},
}  # fmt: skip
DROPOUTS = (0.0, 0.0, 0.0, 0.3), (0.0, 0.2)


class Fit(NamedTuple):
    """An epoch of training."""

    sizes: tuple[int, ...]
    rows: int
    batch_size: int
    chunk: int
    rule: str
    loss: str
    activation: str
    kind: str = "scaled"
    skips_zeros: bool = True
    threads: int = 1
    weighted: bool = True
    extra: str = "all"
    dropout: tuple[float, float] = (0.0, 0.0)  # of the input, of hidden layers

    def outcome(self, dtype: str) -> list[Array]:
        weights, X, Y, options = network(self, self.rows, dtype)
        extra = dict(EXTRAS[self.extra])
        # Small steps, as whatever is squared or exponential must not run away.
        changes = {"learning_rate": 1e-4, "weight_decay": extra.pop("weight_decay", 0.0)}
        optimizer = RULES[self.rule].options["optimizer"]
        known = {name: value for name, value in changes.items() if hasattr(optimizer, name)}
        options |= extra | {"optimizer": replace(optimizer, **known), "epochs": 1}
        of_input, of_hidden = self.dropout
        if len(self.sizes) > 2:
            options["dropout"] = (of_input, *[of_hidden] * (len(self.sizes) - 2))
        is_weighted = self.weighted and self.loss != PLAIN
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(memory, "MAX_CHUNK", self.chunk)
            patch.setattr(zeros, "has_many_zeros", lambda _: self.skips_zeros)
            trainer = trainer_from(weights, batch_size=self.batch_size, seed=0, **options)
            trainer.fit(X, Y, sample_weight=sample_weights(self.rows) if is_weighted else None)
        names = "loss", reference.metric(self.loss)
        return trainer.get_weights() + [np.array(trainer.history[name]) for name in names]


class Prediction(NamedTuple):
    """What a network says of some rows, and what it scores."""

    sizes: tuple[int, ...]
    loss: str
    activation: str
    kind: str
    threads: int

    def outcome(self, dtype: str) -> list[Array]:
        weights, X, Y, options = network(self, max(PREDICTED), dtype)
        trainer, results = trainer_from(weights, **options), []
        is_class = reference.metric(self.loss) == "accuracy"
        for n in PREDICTED:
            given = None if self.loss == PLAIN else sample_weights(n)
            results.append(trainer.predict_proba(X[:n]) if is_class else trainer.predict(X[:n]))
            results.append(trainer.decision_function(X[:n]))
            scores = trainer.evaluate(X[:n], Y[:n], sample_weight=given)
            results.append(np.array([*scores.values()]))
        return results


class Gradient(NamedTuple):
    """The gradient of all rows."""

    sizes: tuple[int, ...]
    loss: str
    activation: str
    kind: str
    threads: int

    def outcome(self, dtype: str) -> list[Array]:
        n = max(PREDICTED)
        weights, X, Y, options = network(self, n, dtype)
        given = None if self.loss == PLAIN else sample_weights(n)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(memory, "MAX_CHUNK", 33)
            loss, gradient = trainer_from(weights, **options).loss_and_gradient(X, Y, given)
        return [np.array(loss), *gradient]


def sample_weights(n: int) -> Array:
    return np.random.default_rng(n).uniform(0.5, 2, n)


def network(case: Any, n: int, dtype: str) -> tuple[list[Array], Array, Array, dict[str, Any]]:
    """Weights, rows, targets and the options that the loss, the rows and the threads need."""
    weights, X, labels = problem(case.sizes, n)
    X = images(*X.shape) if case.kind == "uint8" else X.astype(dtype)
    scale = {
        "in place": 1.0, "scaled": 0.5, "uint8": 1 / 256, "bins": "auto", "sparse": 0.5,
    }[case.kind]  # fmt: skip
    rng, shape = np.random.default_rng(n), (n, case.sizes[-1])
    Y = {
        "labels": lambda: labels,
        "probabilities": lambda: rng.dirichlet(np.ones(shape[1]), n),
        "ones": lambda: rng.integers(2, size=shape),
        "numbers": lambda: rng.normal(size=shape),
        "counts": lambda: rng.poisson(2, shape),
    }[TARGETS[case.loss]]()
    loss = case.loss.removesuffix("_weighted").removesuffix("_rows")
    options: dict[str, Any] = {
        "loss": loss,
        "scaling": scale,
        "threads": case.threads,
        "dtype": dtype,
    }
    if len(case.sizes) > 2:
        options |= {"hidden": case.sizes[1:-1], "activation": case.activation}
    if case.kind == "bins":  # of the first features, in place of the others
        count = case.sizes[0] // 2
        bins = [1 + count // 2] * (count > 0) + [1] * (count - 1 - count // 2)
        bins += [0] * (case.sizes[0] - count - len(bins))
        cuts = [np.sort(rng.normal(size=k + 1)) if k else np.empty(0) for k in bins]
        options["known"] = Scaling("piecewise", bins=bins_between(cuts))
        X = np.ascontiguousarray(X[:, : len(cuts)])
    if case.kind == "sparse":
        X = csr_matrix(X * (images(*X.shape) > 0))
    return weights, X, Y, options


def cases() -> Iterator[Any]:
    """Each network with each batch, rule, loss and activation, everything else at random; and its
    predictions."""
    rng, threads, kinds = random.Random(0), cycle((1, 2)), cycle(KINDS)

    def fit(sizes: tuple[int, ...], batch: tuple[int, ...], number: int) -> Fit:
        losses = list(LOSSES) if sizes[-1] > 1 else POINTWISE
        loss, rule, activation = (
            names[number % len(names)] for names in (losses, list(RULES), list(ACTIVATIONS))
        )
        others = (KINDS, (False, True), (1, 2), (False, True), list(EXTRAS))
        dropout = rng.choice(DROPOUTS[0]), rng.choice(DROPOUTS[1])
        chosen = [rng.choice(values) for values in others]
        return Fit(sizes, *batch, rule, loss, activation, *chosen, dropout)

    for shift, sizes in enumerate(SIZES):
        for number in range(len(ACTIVATIONS)):
            yield fit(sizes, BATCHES[number % len(BATCHES)], number + shift)
    yield from (fit(*PACKED, number) for number in range(4))
    for sizes in SIZES:
        for loss in LOSSES if sizes[-1] > 1 else POINTWISE:
            activation = rng.choice(list(ACTIVATIONS))
            yield Prediction(sizes, loss, activation, next(kinds), next(threads))
        yield Gradient(sizes, loss, activation, next(kinds), next(threads))


class Seen:
    """What jobs were made of."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.chosen: dict[str, set[Any]] = defaultdict(set)
        made_for_training, made = memory.training_job, prediction.prediction_job

        def training_job(plan: Any, memory: Array, **options: Any) -> Any:
            for name in ("reader", "loss", "rule"):
                self.chosen[name].add(options[name])
            for name in ("activations", "before_rule"):
                self.chosen[name].update(options[name])
            self.chosen["dropout"].update(map(bool, options["dropout"]))
            return made_for_training(plan, memory, **options)

        def prediction_job(plan: Any, memory: Array, **options: Any) -> Any:
            self.chosen["reader"].add(options["reader"])
            self.chosen["totals" if options["totals"] else "outputs"].add(options["kernel"])
            return made(plan, memory, **options)

        patch.setattr(memory, "training_job", training_job)
        patch.setattr(prediction, "prediction_job", prediction_job)

    def check(self) -> None:
        """Nothing of a table was left out."""
        tables = {
            "reader": set(READERS), "loss": set(LOSSES), "rule": set(rules.RULES),
            "activations": set(ACTIVATIONS),
            "before_rule": {"penalties", "decay", "clipping", "gradient"},
            "dropout": {False, True}, "outputs": set(OUTPUTS.values()),
            "totals": {loss.loss for loss in LOSSES.values()},
        }  # fmt: skip
        for name, wanted in tables.items():
            assert self.chosen[name] == wanted, name


def check(dtype: str, every: int) -> None:
    """Each, or every so many, of the cases in this process, which dies at the one that leaves its
    bounds."""
    # Those that a Trainer can be told to take.
    assert set(RULES) == set(rules.RULES)
    with pytest.MonkeyPatch.context() as patch:
        seen = Seen(patch)
        for case in islice(cases(), 0, None, every):
            outcomes = []
            # First among fences: elsewhere a fault may do anything.
            for place in ("end", "start"):
                print(case, "fenced at the", place, flush=True)
                with fences(place):
                    outcomes.append(case.outcome(dtype))
            wanted = case.outcome(dtype)
            for results in outcomes:
                assert all(map(np.array_equal, results, wanted))
        if every == 1:
            seen.check()


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
    sizes, batch = (9, 33, 2), (31, 7, 1024)
    of_labels = Fit(sizes, *batch, "momentum", "softmax_cross_entropy_weighted", "relu")
    of_rows = Fit(sizes, *batch, "adam", "huber", "gelu")
    prediction = Prediction(sizes, PLAIN, "relu", "scaled", threads=1)
    of_numbers = prediction._replace(loss="poisson")
    of_bins = prediction._replace(kind="bins")
    of_sparse = of_labels._replace(kind="sparse", batch_size=3, extra="nothing")
    for case, names in (
        (
            of_labels,
            ("input", "order", "labels", "rates", "sample_scales", "l2s", "decays", "row_masks"),
        ),
        (of_rows, ("targets", "weights", "score_weights", "parameters", "totals")),
        (prediction, ("input", "order", "labels", "predictions")),
        (of_numbers, ("targets", "weights", "score_weights", "totals")),
        (of_bins, ("input", "cuts", "binned", "unbinned")),
        (of_bins._replace(sizes=(9, 2)), ("input", "bin_ends", "bin_slopes", "bin_offsets")),
        (of_labels._replace(kind="bins"), ("input", "order", "segments", "binned", "unbinned")),
        (of_sparse, ("input", "row_ends", "entry_columns", "order", "powers", "rates")),
        (
            of_sparse._replace(extra="penalties"),
            ("rates", "l2s", "l1s", "decays", "penalty_factors"),
        ),
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
        [sys.executable, "-X", "faulthandler", "-c", f"from {__name__} import *; {code}"],
        cwd=ROOT, env=setting, capture_output=True, text=True, timeout=600, check=False,
    )  # fmt: skip
    told = done.stdout.splitlines()[-1:] + done.stderr.splitlines()[-25:]
    return done.returncode, "\n".join(told)


@pytest.mark.costly
@pytest.mark.parametrize(("dtype", "every"), [("float32", 7), ("float32", 1), ("float64", 1)])
def test_nothing_beside_the_operands_is_touched(dtype: str, every: int) -> None:
    code, told = run(f"check({dtype!r}, {every})")
    assert code == 0, told


def test_a_step_beyond_is_noticed() -> None:
    code, told = run("check_fences()")
    assert code == 0, told
