"""Dropout: the factors against the reference bit for bit, their quality, gradients under them."""

from itertools import product
from typing import Any

import numpy as np
import pytest

from fastmlp.fitting import memory
from fastmlp.fitting.dataset import fit_data
from fastmlp.fitting.epoch import TrainingRun
from fastmlp.kernels.plugins import dropout
from fastmlp.network.packed_network import Network
from tests.helpers import reference
from tests.helpers.basics import INF, NAN, Array, needs_compiler
from tests.helpers.kernels import COUNTS, Flat, a_layer, a_run, assert_untouched, call, lanes_of
from tests.helpers.models import fit_settings
from tests.helpers.networks import TOLERANCE, random_problem

KEY = 0x123456789ABCDEF
FRACTIONS = (0.1, 0.5, 0.8)

# ------------------------------------------------------------------------------------------ factors


def fields_of(p: float) -> dict[str, Any]:
    return {"kept": 1 - p, "threshold": dropout.thresholds(p)}


def assert_factors(ours: Array, wanted: Array, units: int) -> None:
    """Those of the units bit for bit, and zeros in the padding, which was zero."""
    assert np.array_equal(ours[:, :units], wanted.astype(ours.dtype))
    assert not ours[:, units:].any()


@needs_compiler
@pytest.mark.parametrize("p", FRACTIONS)
@pytest.mark.parametrize(("units", "m"), [*product((1, 9, 31, 33, 127), COUNTS)])
def test_factors(units: int, m: int, p: float, dtype: Any) -> None:
    """Of outputs, deltas and inputs, by a member with some of the panels."""
    lanes, row, number = lanes_of(dtype), 5, 3
    panel = 2 * lanes
    panels = -(-units // panel)
    last = -(-(units - (panels - 1) * panel) // lanes)
    width = (panels - 1) * panel + last * lanes
    wanted = reference.dropout_factors(KEY, row + np.arange(m), number, units, p)
    ones = np.zeros((m, width), dtype)
    ones[:, :units] = 1
    by_panel = np.zeros((panels, m, panel), dtype)
    for k in range(panels):
        part = ones[:, k * panel : (k + 1) * panel]
        by_panel[k, :, : part.shape[1]] = part
    gap = ((0, 0), (0, 3))
    memory = Flat(dtype, NAN)
    outputs = memory.put(np.pad(ones, gap, constant_values=NAN))
    deltas = memory.put(by_panel)
    before = memory.array()
    stride, delta_panel = width + 3, m * panel
    for first in {0, panels - 1}:
        layer = a_layer(
            n_out=units, panel=panel, panels=panels, last_vectors=last, first=first, last=panels,
            number=number, outputs=outputs, stride=stride, deltas=deltas,
            delta_panel=delta_panel, **fields_of(p),
        )  # fmt: skip
        run = a_run(m=m, row=row, lanes=lanes, dropout_key=KEY, copy=outputs)
        own, start = slice(first * panel, None), outputs + first * panel
        block = start, (m, width - first * panel), stride

        after = before.copy()
        call(dropout.drop_outputs, after, run, layer)
        assert_untouched(after, before, block)
        ours = after[outputs : outputs + m * stride].reshape(m, stride)[:, :width]
        assert_factors(ours[:, own], wanted[:, own], max(units - first * panel, 0))

        after = before.copy()
        call(dropout.drop_deltas, after, run, layer)
        assert_untouched(
            after, before, (deltas + first * delta_panel, (1, (panels - first) * delta_panel), 1)
        )
        ours = after[deltas : deltas + by_panel.size].reshape(by_panel.shape)
        ours = ours.swapaxes(0, 1).reshape(m, panels * panel)
        assert_factors(ours[:, own], wanted[:, own], max(units - first * panel, 0))

        after = before.copy()
        call(dropout.drop_inputs, after, run, layer)
        assert_untouched(after, before, (outputs, (m, width), stride))
        ours = after[outputs : outputs + m * stride].reshape(m, stride)[:, :width]
        assert_factors(ours, wanted, units)


@needs_compiler
def test_what_is_not_finite_is_passed_on(dtype: Any) -> None:
    lanes = lanes_of(dtype)
    layer = a_layer(
        panel=lanes, panels=1, last_vectors=1, last=1, stride=lanes, number=1, **fields_of(0.5)
    )
    for value in (NAN, INF):
        memory = np.full(lanes, value, dtype)
        call(dropout.drop_outputs, memory, a_run(m=1, lanes=lanes, dropout_key=KEY), layer)
        assert not np.isfinite(memory).any()


def test_thresholds() -> None:
    assert dropout.thresholds((0.0, 0.25, 0.5, 1e-12)).tolist() == [
        2**32 - 1, 3 * 2**30, 2**31, 2**32 - 1,
    ]  # fmt: skip


# ---------------------------------------------------------------------- quality, of the reference

ROWS, UNITS = 2000, 500


def stays(p: float = 0.5, key: int = KEY, layer: int = 1, rows: Any = None) -> Array:
    rows = np.arange(ROWS) if rows is None else rows
    return reference.dropout_factors(key, rows, layer, UNITS, p) > 0


@pytest.mark.parametrize("p", [0.01, *FRACTIONS])
@pytest.mark.parametrize("key", [0, 1, -1, KEY])
def test_share_that_stays(key: int, p: float) -> None:
    """Within five standard deviations in all, and as spread over rows and units as if drawn."""
    kept = stays(p, key)
    variance = p * (1 - p)
    assert abs(kept.mean() - (1 - p)) <= 5 * np.sqrt(variance / kept.size)
    for axis in (0, 1):
        counts = kept.shape[axis]
        z = (kept.mean(axis=axis) - (1 - p)) / np.sqrt(variance / counts)
        assert np.abs(z).max() <= 5.5
        # Chi-square, of mean n and variance 2 n.
        assert abs((z**2).sum() - z.size) <= 5 * np.sqrt(2 * z.size)


@pytest.mark.costly
@pytest.mark.parametrize("p", FRACTIONS)
@pytest.mark.parametrize("key", [0, KEY])
def test_neighbours_are_independent(key: int, p: float) -> None:
    """Rows, units, layers and epochs of near numbers: correlations as of independent draws."""
    x = (stays(p, key) - (1 - p)) / np.sqrt(p * (1 - p))

    def other(**at: Any) -> Array:
        return (stays(p, **{"key": key, **at}) - (1 - p)) / np.sqrt(p * (1 - p))

    pairs = [(x[d:], x[:-d]) for d in (1, 2, 3, 4, 6, 8, 16, 32, 64, 256, 1024)]
    pairs += [(x[:, d:], x[:, :-d]) for d in (1, 2, 3, 4, 6, 8, 16, 32, 64, 256)]
    pairs += [(x[1:, 1:], x[:-1, :-1]), (x[1:, :-1], x[:-1, 1:])]
    pairs += [(x, other(layer=layer)) for layer in (0, 2, 3)]
    pairs += [(x, other(key=key + step)) for step in (1, 2, 1 << 20, 1 << 40)]
    # The places of one row and the next layer's row before it, and the like.
    pairs += [(x, other(layer=layer, rows=np.arange(ROWS) + d)) for layer in (0, 2) for d in (1, 2)]
    for left, right in pairs:
        products = left * right
        assert abs(products.mean()) <= 5 / np.sqrt(products.size)


def test_patterns_of_neighbours() -> None:
    """Eight neighbours along a row, a column and a square: each pattern as often as another."""
    kept = stays(0.5).astype(int)
    rows = kept[:, : UNITS // 8 * 8].reshape(-1, 8)
    columns = kept[: ROWS // 8 * 8].T.reshape(-1, 8)
    square = np.stack([kept[i::2, j::4] for i in range(2) for j in range(4)], axis=-1)
    for bits in (rows, columns, square.reshape(-1, 8)):
        counts = np.bincount(bits @ (1 << np.arange(8)), minlength=256)
        expected = len(bits) / 256
        chi_square = ((counts - expected) ** 2 / expected).sum()
        assert abs(chi_square - 255) <= 5 * np.sqrt(2 * 255)


def test_no_two_rows_are_the_same_or_shifted() -> None:
    kept = np.packbits(stays(0.5)[:, :496], axis=1)
    windows = {row[i : i + 8].tobytes() for row in kept for i in range(kept.shape[1] - 7)}
    assert len(windows) == len(kept) * (kept.shape[1] - 7)


# --------------------------------------------------------------------------------- whole networks


@pytest.mark.parametrize("hidden", [[], [6], [6, 5], [6, 5, 4]], ids=str)
def test_gradients_of_the_reference_equal_central_differences(hidden: list[int]) -> None:
    weights, X, labels = random_problem([4, *hidden, 3], 5)
    sizes = [4, *hidden]
    factors = [
        reference.dropout_factors(KEY, np.arange(5), layer, units, 0.3)
        for layer, units in enumerate(sizes)
    ]

    def loss() -> float:
        return reference.cross_entropy(reference.dropout_forward(weights, X, factors)[-1], labels)

    analytic = reference.dropout_gradients(weights, X, labels, factors)
    assert sum(map(np.abs, analytic[0].ravel())) > 0
    for w, gradient in zip(weights, analytic, strict=True):
        for i in np.ndindex(w.shape):
            kept, losses = w[i], []
            for moved in (kept + 1e-6, kept - 1e-6):
                w[i] = moved
                losses.append(loss())
            w[i] = kept
            numeric = (losses[0] - losses[1]) / 2e-6
            assert gradient[i] == pytest.approx(numeric, rel=1e-5, abs=1e-8)


RATE, BATCH = 0.1, 45


def problem(sizes: tuple[int, ...], n: int, kind: str, dtype: Any) -> tuple[Any, ...]:
    """Weights, rows as the trainer gets them and as numbers, labels, factor of the rows."""
    weights, X, labels = random_problem(list(sizes), n)
    weights = [w.astype(np.float32).astype(np.float64) for w in weights]
    labels[: sizes[-1]] = np.arange(sizes[-1])  # every class is there
    if kind == "uint8":
        pixels = np.random.default_rng(1).integers(256, size=X.shape).astype(np.uint8)
        return weights, pixels, pixels / 256, labels, 1 / 256
    if kind == "zeros":
        X[np.random.default_rng(1).random(X.shape) < 0.9] = 0
    X = X.astype(dtype)
    return weights, X, X.astype(np.float64), labels, 1.0


def epoch(
    given: tuple[Any, ...], dtype: Any, fractions: tuple[float, ...], order: Array, **options: Any
) -> tuple[list[Array], float]:
    """Weights after an epoch, and its loss."""
    weights, X, _, labels, scale = given
    settings = fit_settings(
        hidden=tuple(b.size for b in weights[1:-2:2]), learning_rate=RATE, dtype=dtype,
        scaling=scale, dropout=fractions or 0.0,
        **{"batch_size": BATCH, "optimizer": "sgd", "epochs": 1, **options},
    )  # fmt: skip
    data = fit_data(X, labels, None, None, lambda n_rows: settings, None)
    network = Network(
        weights, np.dtype(dtype), settings.activations(len(weights) // 2 - 1)
    ).restarted(settings.optimizer.rule)
    run = TrainingRun(network, data)
    network, statistics = run.epoch(network, order, np.full(run.updates_per_epoch, RATE), KEY)
    loss = data.encoding.outputs.summed_up(statistics.means).loss
    return network.get_weights(), loss


def wanted(
    given: tuple[Any, ...], fractions: tuple[float, ...], order: Array
) -> tuple[list[Array], float]:
    weights, _, X, labels, _ = given
    weights = [w.copy() for w in weights]
    units = [len(w) for w in weights[::2]]
    total = 0.0
    for start in range(0, len(order), BATCH):
        places = np.arange(start, min(start + BATCH, len(order)))
        rows = order[places]
        factors = [
            reference.dropout_factors(KEY, places, layer, count, p)
            for layer, (count, p) in enumerate(zip(units, fractions, strict=True))
        ]
        logits = reference.dropout_forward(weights, X[rows], factors)[-1]
        total += reference.cross_entropy(logits, labels[rows]) * len(rows)
        grads = reference.dropout_gradients(weights, X[rows], labels[rows], factors)
        for w, g in zip(weights, grads, strict=True):
            w -= RATE * g
    return weights, total / len(order)


NETWORKS = [
    ((9, 3), (0.2,)),
    ((9, 33, 3), (0.0, 0.5)),
    ((33, 130, 3), (0.2, 0.5)),
    ((31, 130, 127, 4), (0.3, 0.0, 0.5)),
    ((31, 33, 9, 65, 4), (0.0, 0.1, 0.2, 0.4)),
]


@needs_compiler
@pytest.mark.parametrize("chunk", [1024, 16])
@pytest.mark.parametrize("kind", ["numbers", "uint8", "zeros"])
@pytest.mark.parametrize(("sizes", "fractions"), NETWORKS)
def test_an_epoch(
    sizes: tuple[int, ...], fractions: tuple[float, ...], kind: str, chunk: int, dtype: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(memory, "MAX_CHUNK", chunk)
    given, order = problem(sizes, 100, kind, dtype), np.random.default_rng(2).permutation(100)
    weights, loss = epoch(given, dtype, fractions, order)
    exact, exact_loss = wanted(given, fractions, order)
    tolerance = TOLERANCE[np.dtype(dtype).name]
    assert loss == pytest.approx(exact_loss, rel=tolerance)
    for ours, w in zip(weights, exact, strict=True):
        assert np.abs(ours - w).max() <= tolerance * np.abs(w).max()


@pytest.mark.threading
@needs_compiler
@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_any_team_gives_the_same(
    optimizer: str, dtype: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "usable_threads", lambda threads: threads)
    monkeypatch.setattr("fastmlp.kernels.runs.launch.threading_layer", lambda: "workqueue")
    sizes, fractions = (31, 300, 290, 4), (0.2, 0.5, 0.3)
    given, order = problem(sizes, 200, "numbers", dtype), np.random.default_rng(2).permutation(200)
    results = [
        epoch(given, dtype, fractions, order, threads=threads, optimizer=optimizer)
        for threads in (1, 2, 4)
    ]
    for weights, loss in results[1:]:
        assert loss == results[0][1]
        assert all(map(np.array_equal, weights, results[0][0]))


@needs_compiler
def test_no_dropout_is_as_none_named(dtype: Any) -> None:
    given, order = problem((9, 33, 3), 50, "numbers", dtype), np.arange(50)
    one, other = (epoch(given, dtype, fractions, order) for fractions in ((), (0.0, 0.0)))
    assert one[1] == other[1]
    assert all(map(np.array_equal, one[0], other[0]))
