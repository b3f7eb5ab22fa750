"""Memory that is kept for the next fit of its shape: nobody can tell, and it is little."""

import gc
import os
import threading
import weakref
from collections import OrderedDict
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from fastmlp import Trainer
from fastmlp.fitting import memory
from fastmlp.fitting.memory import Workspace
from tests.helpers.basics import Array, needs_compiler
from tests.helpers.models import same_weights

pytestmark = needs_compiler

RNG = np.random.default_rng(3)
X = RNG.standard_normal((70, 5), np.float32)
Y = (X[:, 0] > 0).astype(np.int64)
PIXELS = (RNG.integers(0, 256, (70, 40)) * (RNG.random((70, 40)) < 0.1)).astype(np.uint8)

CASES: dict[str, tuple[Array, dict[str, Any]]] = {
    "plain": (X, {}),
    "ragged batches": (X, {"batch_size": 33}),
    "a team": (X, {"hidden": (100, 70), "threads": 2}),
    "zeros": (PIXELS, {}),
    "bins": (X, {"scaling": "piecewise"}),
    "clipping": (X, {"clip_norm": 0.1, "l2": 0.01}),
    "dropout": (X, {"dropout": (0.2, 0.3)}),
    "momentum": (X, {"optimizer": "sgd", "activation": "gelu"}),
}


def trainer(**settings: Any) -> Trainer:
    return Trainer(**{"hidden": 9, "epochs": 3, "batch_size": 32, "seed": 0} | settings)


def same(one: Trainer, other: Trainer) -> bool:
    return same_weights(one.get_weights(), other.get_weights())


@pytest.fixture(autouse=True)
def kept(monkeypatch: pytest.MonkeyPatch) -> Iterator[OrderedDict[Any, Workspace]]:
    """What is kept, at first nothing."""
    spaces: OrderedDict[Any, Workspace] = OrderedDict()
    monkeypatch.setattr(memory, "_kept", spaces)
    return spaces


@pytest.mark.parametrize("case", CASES)
def test_what_a_fit_leaves_is_not_found_by_the_next(
    case: str, kept: OrderedDict[Any, Workspace]
) -> None:
    rows, settings = CASES[case]
    fresh = trainer(**settings).fit(rows, Y)
    (space,) = kept.values()
    space.memory.fill(np.nan)
    space.job.set(l2=5.0, clip_norm=1e-9, sample_scale=3.0, smoothing=0.5)
    again = trainer(**settings).fit(rows, Y)
    assert list(kept.values()) == [space]  # the same one
    assert same(again, fresh)


def test_chunks_of_a_stream_share_it(kept: OrderedDict[Any, Workspace]) -> None:
    chunks = [(X[rows], Y[rows]) for rows in (slice(0, 32), slice(32, 64), slice(64, 70))]
    model = trainer()
    for chunk in chunks:
        model.partial_fit(*chunk)
    assert len(kept) == 2  # of 32 rows and of 6
    spaces = set(kept.values())
    streamed = trainer(epochs=1).fit_stream(chunks)
    assert set(kept.values()) == spaces
    assert same(streamed, model)


def test_a_fit_within_a_fit_has_its_own() -> None:
    within = []
    alone = trainer().fit(X, Y)

    def fit_another(*_: Any) -> None:
        within.append(trainer(epochs=1).fit(X, Y))

    outer = trainer(callbacks=fit_another).fit(X, Y)
    assert same(outer, alone)
    assert same(within[-1], trainer(epochs=1).fit(X, Y))


def test_gradients_share_it(kept: OrderedDict[Any, Workspace]) -> None:
    model = trainer().fit(X, Y)
    kept.clear()
    loss, gradient = model.loss_and_gradient(X, Y)
    (space,) = kept.values()
    space.memory.fill(np.nan)
    again, same_gradient = model.loss_and_gradient(X, Y)
    assert list(kept.values()) == [space]
    assert again == loss
    assert same_weights(same_gradient, gradient)


def test_threads_never_share_one(kept: OrderedDict[Any, Workspace]) -> None:
    trainer().fit(X, Y)
    (shape,) = kept
    taken: list[Workspace] = []
    barrier = threading.Barrier(8)

    def take() -> None:
        barrier.wait()
        taken.append(memory.take_workspace(shape))

    threads = [threading.Thread(target=take) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({id(space.memory) for space in taken}) == 8


def test_it_is_little(kept: OrderedDict[Any, Workspace]) -> None:
    for hidden in range(1, 40):
        trainer(hidden=hidden, epochs=1).fit(X, Y)
    assert [shape.layer_sizes[1] for shape in kept] == list(range(24, 40))
    before = list(kept)
    trainer(hidden=100_000, epochs=1).fit(X, Y)
    # The numbers alone would be little, but its tables are much.
    trainer(hidden=90_000, epochs=1, batch_size=1, optimizer="sgd").fit(X[:2, :1], X[:2, 0])
    assert list(kept) == before
    assert memory._KEPT * memory._KEPT_BYTES <= 64 << 20


def test_rows_and_targets_are_not_kept() -> None:
    rows, labels = X.copy(), Y.astype(np.float64)
    references = weakref.ref(rows), weakref.ref(labels)
    trainer(scaling=None).fit(rows, labels)
    del rows, labels
    gc.collect()
    assert [reference() for reference in references] == [None, None]


def test_a_fit_that_fails_leaves_nothing(kept: OrderedDict[Any, Workspace]) -> None:
    def fail(*_: Any) -> None:
        raise RuntimeError

    with pytest.raises(RuntimeError):
        trainer(callbacks=fail).fit(X, Y)
    assert not kept


@pytest.mark.threading
@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_forked_child_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    trainer().fit(X, Y)
    assert memory._kept
    child = os.fork()
    if child == 0:
        os._exit(len(memory._kept))
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert memory._kept


def test_chunks_of_a_large_network_are_short(monkeypatch: pytest.MonkeyPatch) -> None:
    """They sum up the gradient of a batch, so that an interrupt need not wait for all of it."""
    model = trainer(batch_size=64, threads=1, epochs=20)
    whole = model.fit(X, Y).get_weights()
    monkeypatch.setattr(memory, "_LEAST_CHUNK", 8)
    monkeypatch.setattr(memory, "_CHUNK_FLOPS", 6 * model.model_.network.multiply_adds * 16.5)
    found = []
    monkeypatch.setattr(
        memory, "take_workspace", lambda shape: found.append(shape) or Workspace(shape)
    )
    parts = model.fit(X, Y).get_weights()
    assert found[0].chunk == 16
    for one, other in zip(whole, parts, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-5)
    monkeypatch.setattr(memory, "_CHUNK_FLOPS", 1)
    model.fit(X, Y)
    assert found[1].chunk == 8
