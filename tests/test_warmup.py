"""What is compiled, and when: warmup, the line that tells, and that nothing else is."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import fastmlp
from fastmlp import Trainer
from fastmlp.losses import LOSSES, Quantile
from fastmlp.schedules import ReduceOnPlateau
from tests.helpers.basics import needs_compiler
from tests.helpers.processes import LAYERS, ROOT, run

pytestmark = needs_compiler


# Prints the kernels that a fit compiles, one a line, as they come.
COUNTING = """
import numpy as np
import fastmlp
from fastmlp import Trainer
from fastmlp.kernels.language.jit import Kernel

compiled = Kernel._compiled

def telling(kernel, dtype):
    print(kernel.name)
    return compiled(kernel, dtype)

Kernel._compiled = telling
rng = np.random.default_rng(0)
X = rng.normal(size=(300, 20)).astype(np.float32)
Y = np.arange(300) % 3
"""


def kernels_of(code: str, cache: Path) -> list[str]:
    """The kernels that a process with an empty cache compiles."""
    done = subprocess.run(
        [sys.executable, "-c", COUNTING + code],
        env={**os.environ, "PYTHONPATH": str(ROOT), "NUMBA_CACHE_DIR": str(cache)},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


# Fits of ``trainer``, and predictions, of every kind of data.
ANY_DATA = """
pixels = (X > 1).astype(np.uint8)
for rows in (X, X * 50, pixels, pixels.astype(trainer.dtype)):
    for targets in (Y, (np.eye(3)[Y] + 1) / 4):
        for weights in (None, np.linspace(1, 2, 300)):
            trainer.fit(rows.astype(rows.dtype), targets, sample_weight=weights)
            trainer.predict(rows)
            trainer.predict(rows[:1])
            trainer.evaluate(rows, targets, weights)
"""

DENSE = "Trainer(32, epochs=1, threads=1, optimizer='sgd').fit(X, Y)"

# What must not be compiled for a dense fit by gradient descent, and what would need it.
UNUSED = {
    "rules_": "Trainer(40, epochs=1, threads=1, optimizer='adam').fit(X, Y)",
    "zeros_": "Trainer(40, epochs=1, threads=1).fit(X * (rng.random(X.shape) < 0.1), Y)",
    "outer_masked": "Trainer(40, epochs=1, threads=1).fit(X * (rng.random(X.shape) < 0.1), Y)",
    "places_": "Trainer(40, epochs=1, threads=1).fit(X + 3, Y)",
    "knot_": "Trainer(40, epochs=1, threads=1).fit(X + 3, Y)",
    "copy_bins": "Trainer(40, epochs=1, threads=1, dropout=(0.1, 0)).fit(X + 3, Y)",
    "copy_uint8": "Trainer(40, epochs=1, threads=1).fit((X > 0).astype(np.uint8) + 1, Y)",
    "dense_backward": "Trainer((40, 30), epochs=1, threads=1).fit(X, Y)",
    "transpose_inputs": "Trainer(40, epochs=1, threads=1, batch_size=300).fit(X, Y)",
    "predict_": "Trainer(40, epochs=1, threads=1).fit(X, Y).predict(X)",
    "region": "Trainer(40, epochs=1, threads=2).fit(X, Y).predict(X)",
}


def test_only_what_runs_is_compiled(tmp_path: Path) -> None:
    kernels = kernels_of(DENSE, tmp_path / "dense")
    assert "train_train" in kernels
    assert len(kernels) == len(set(kernels))
    for part in UNUSED:
        assert not any(part in kernel for kernel in kernels), (part, kernels)
    # One width of tiles: all panels of this network have it.
    assert sum("tiles_outer" in kernel for kernel in kernels) == 1


@pytest.mark.full
def test_what_is_named_is_compiled(tmp_path: Path) -> None:
    code = "\n".join(dict.fromkeys(UNUSED.values()))
    kernels = kernels_of(code, tmp_path)
    for part in UNUSED:
        assert any(part in kernel for kernel in kernels), (part, kernels)


@pytest.mark.full
@pytest.mark.parametrize(
    "trainer",
    ["Trainer(40, threads=2)", "Trainer((70, 9), threads=1, optimizer='adam', dtype='float64')"],
)
def test_after_a_warmup_nothing_is_compiled(trainer: str, tmp_path: Path) -> None:
    code = f"""
trainer = {trainer}
fastmlp.warmup(trainer, n_features=20, n_classes=3)
assert not hasattr(trainer, "classes_")
print("ready")
trainer.fit(X.astype(trainer.dtype), Y).predict(X.astype(trainer.dtype))
trainer.predict(X[:1].astype(trainer.dtype))
"""
    kernels = kernels_of(code, tmp_path)
    assert kernels[-1] == "ready"
    assert len(kernels) > 10


@pytest.mark.full
def test_a_warmup_for_many_categories(tmp_path: Path) -> None:
    users = pd.DataFrame({"user": pd.Categorical(np.arange(6000) % 3000), "a": np.arange(6000.0)})
    users.to_pickle(tmp_path / "users")
    file = tmp_path / "m.safetensors"
    model = Trainer((20, 9), epochs=1, threads=1, warm_start=True, missing="impute")
    model.fit(users, np.arange(6000) % 3).save(file)
    code = f"""
import pandas as pd
users = pd.read_pickle({str(tmp_path / "users")!r})
trainer = fastmlp.load({str(file)!r})
fastmlp.warmup(trainer)
print("ready")
trainer.predict(users[:1])
trainer.fit(users, np.arange(6000) % 3).predict(users)
"""
    kernels = kernels_of(code, tmp_path / "cache")
    assert kernels[-1] == "ready"
    assert len(kernels) > 10


IN_BACKGROUND = """
import os, sys, threading, time
import numpy as np
import fastmlp
rng = np.random.default_rng(0)
X, Y = rng.normal(size=(300, 20)).astype(np.float32), np.arange(300) % 3

def weights():
    return trainer.fit(X, Y).get_weights()

trainer = fastmlp.Trainer(8, optimizer="sgd", epochs=2, seed=0, threads=2)
start = time.perf_counter()
warmup = fastmlp.warmup(trainer, n_features=20, n_classes=3, background=True)
began = time.perf_counter() - start
"""


@pytest.mark.costly
@pytest.mark.parametrize("layer", LAYERS)
def test_a_fit_during_a_warmup(layer: str, tmp_path: Path) -> None:
    """It waits for what it needs; a forked child does without."""
    code = """
assert warmup.is_alive() and began < 0.2, began
time.sleep(0.3)
child = os.fork() if hasattr(os, "fork") else None
if child == 0:
    warmup.join()
    np.savez(sys.argv[1], *weights())
    os._exit(0)
found = weights()
warmup.join()
assert not warmup.is_alive()
again = weights()
assert all(map(np.array_equal, found, again))
if child:
    assert os.waitpid(child, 0)[1] == 0
    assert all(map(np.array_equal, found, np.load(sys.argv[1]).values()))
"""
    code = (
        f"import sys\nsys.argv[1:] = [{str(tmp_path / 'weights.npz')!r}]\n" + IN_BACKGROUND + code
    )
    run(code, layer, timeout=120, NUMBA_CACHE_DIR=str(tmp_path), NUMBA_NUM_THREADS="2")


@pytest.mark.full
@pytest.mark.repeated
@pytest.mark.parametrize("layer", LAYERS)
def test_the_end_of_a_process_during_a_warmup(layer: str, tmp_path: Path, times: int) -> None:
    """It does not wait for all of it; what has been compiled is kept, and is whole."""
    delays = np.random.default_rng(0).uniform(0, 4, 4 * times)
    for delay in delays:
        run(IN_BACKGROUND + f"time.sleep({delay})", layer, NUMBA_CACHE_DIR=str(tmp_path))
    run(IN_BACKGROUND + "warmup.join(); weights()", layer, NUMBA_CACHE_DIR=str(tmp_path))


def test_an_exception_in_the_background_shows(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*args: Any) -> Any:
        raise MemoryError("no room")

    trainer = Trainer(4)
    warmup = fastmlp.warmup(trainer, background=True)
    assert warmup.join() is None
    monkeypatch.setattr(Trainer, "predict", broken)
    warmup = fastmlp.warmup(trainer, background=True)
    with pytest.raises(MemoryError, match="no room"):
        warmup.join()
    with pytest.raises(TypeError, match="trainer must be a Trainer"):
        fastmlp.warmup("float64", background=True)  # type: ignore[call-overload]


def test_warmup_leaves_the_trainer_alone() -> None:
    X, Y = np.random.default_rng(0).normal(size=(50, 4)), np.arange(50) % 3
    calls: list[Any] = []
    trainer = Trainer(8, epochs=2, seed=0, warm_start=True, callbacks=lambda *_: calls.append(1))
    trainer.fit(X, Y)
    weights, history = trainer.get_weights(), dict(trainer.history)
    fastmlp.warmup(trainer)
    assert all(map(np.array_equal, trainer.get_weights(), weights))
    assert trainer.history == history
    assert len(calls) == 2


def test_bad_arguments_of_warmup() -> None:
    with pytest.raises(TypeError, match="trainer must be a Trainer; got str"):
        fastmlp.warmup("float64")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="activation has no effect"):
        fastmlp.warmup(Trainer((), activation="tanh"))


@pytest.mark.full
def test_with_verbose_a_line_tells_of_the_compilation(tmp_path: Path) -> None:
    code = "Trainer(9, epochs=1, verbose=1).fit(X, Y)"
    first, second = (kernels_of(code, tmp_path) for _ in range(2))
    assert first.count("compiling") == first.count("epoch") == 1
    assert second.count("compiling") == 0
    assert second.count("epoch") == 1


@pytest.mark.parametrize("loss", [*LOSSES, Quantile((0.1, 0.9))])
@pytest.mark.parametrize("n_outputs", [1, 2, 5])
def test_warmup_of_every_loss(loss: Any, n_outputs: int) -> None:
    """With weights, and without; settings that need other data do not matter."""
    settings: dict[str, Any] = {
        "loss": loss, "class_weight": {"a": 2}, "early_stopping": True, "metrics": max,
        "schedule": ReduceOnPlateau("val_loss"), "time_budget": 1e-9,
    }  # fmt: skip
    trainer = Trainer(4, **settings, warm_start=True)
    fastmlp.warmup(trainer, n_features=3, n_classes=n_outputs, any_data=True)
    assert not hasattr(trainer, "layer_sizes_")
    fits = n_outputs > 1 or loss != "softmax_cross_entropy"
    if fits and (n_outputs == 2 or not isinstance(loss, Quantile)):
        weights = [np.ones(shape) for shape in ((3, 4), (4,), (4, n_outputs), (n_outputs,))]
        trainer.set_weights(weights)
        fastmlp.warmup(trainer)
        assert all(map(np.array_equal, trainer.get_weights(), weights))
