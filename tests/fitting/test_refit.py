"""A second training on all rows, and presets that ask for it."""

from contextlib import nullcontext
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from fastmlp import EarlyStopping, Ensemble, FitWarning, Trainer, presets, schedules
from fastmlp.fitting import epoch as epochs
from fastmlp.fitting.refit import StopsWith
from fastmlp.optimizers import SGD
from tests.helpers.basics import NAN, needs_compiler
from tests.helpers.models import same_weights

RNG = np.random.default_rng(2)
X = RNG.lognormal(size=(300, 4))
Y = np.log(X[:, 0]) * X[:, 1] + 0.3 * RNG.standard_normal(300)
LABELS = np.digitize(Y, [0.0, 0.5])

pytestmark = needs_compiler


def trainer(**settings: Any) -> Trainer:
    return Trainer(8, **{"seed": 0, "refit": True, **settings})


@pytest.mark.parametrize(
    "settings",
    [
        {}, {"optimizer": SGD(0.01)}, {"class_weight": "balanced", "dropout": 0.1},
        {"epochs": 40, "early_stopping": EarlyStopping(patience=3), "schedule": None},
        {"weight_averaging": 0, "validation_fraction": 0.4, "validation_split": "last"},
    ],
)  # fmt: skip
def test_it_is_a_fit_on_all_rows_up_to_the_best_epoch(settings: dict[str, Any]) -> None:
    weights = RNG.uniform(0, 2, 300).round()
    first = trainer(**settings | {"refit": False}).fit(X, LABELS, sample_weight=weights)
    model = trainer(**settings).fit(X, LABELS, sample_weight=weights)
    assert model.history["val_loss"] == first.history["val_loss"]
    assert model.best_epoch_ == first.best_epoch_
    chosen = {k: v for k, v in model.auto_.items() if k not in ("epochs", "patience")}
    again = settings | chosen | {
        "refit": False, "epochs": model.best_epoch_ + 1, "early_stopping": False,
        "validation_fraction": 0.0,
    }  # fmt: skip
    if "optimizer" in settings:
        again.pop("learning_rate", None)
    wanted = trainer(**again).fit(X, LABELS, sample_weight=weights)
    assert same_weights(model.get_weights(), wanted.get_weights())
    assert not same_weights(model.get_weights(), first.get_weights())


def halved(model: Trainer, epoch: int, logs: dict[str, float]) -> None:
    model.learning_rate = logs["learning_rate"] / 2


@pytest.mark.parametrize(
    "settings",
    [
        {"schedule": "cosine"},
        {"schedule": schedules.ReduceOnPlateau(min_delta=9.0, patience=1, factor=0.3)},
        {"schedule": lambda update: 0.02 / (1 + update), "learning_rate": None},
        {"schedule": None, "callbacks": halved},
    ],
    ids=["cosine", "plateau", "function", "callback"],
)  # fmt: skip
def test_it_repeats_the_rates_that_were_validated(settings: dict[str, Any]) -> None:
    """Update u of the m of an epoch has the rate of the share u / m of the same epoch."""
    settings = {"learning_rate": 0.02, **settings}
    settings |= {"epochs": 30, "early_stopping": EarlyStopping(patience=3), "batch_size": 16}
    real = epochs.TrainingRun.epoch
    per_epoch = {255: 16, 300: 19}
    seen: list[Any] = []

    def watched(run: Any, network: Any, order: Any, rates: Any, *rest: Any) -> Any:
        seen.append((len(order), rates.copy()))
        return real(run, network, order, rates, *rest)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(epochs.TrainingRun, "epoch", watched)
        model = trainer(**settings).fit(X, LABELS)
    first = [rates for n_rows, rates in seen if n_rows == 255]
    second = [rates for n_rows, rates in seen if n_rows == 300]
    assert len(first) == model.n_iter_
    assert len(second) == model.best_epoch_ + 1
    assert len({rate for rates in second for rate in rates}) > 1
    for one, other in zip(first, second, strict=False):
        assert (len(one), len(other)) == (per_epoch[255], per_epoch[300])
        assert other.tolist() == [one[int(u / 19 * 16)] for u in range(19)]


def test_where_nothing_is_kept_all_rows_are_trained_on_anyway() -> None:
    few = trainer().fit(X[:30], LABELS[:30])
    assert same_weights(
        few.get_weights(), trainer(refit=False).fit(X[:30], LABELS[:30]).get_weights()
    )


def test_callbacks_and_the_history_know_of_the_first_training() -> None:
    epochs: list[int] = []
    model = trainer(callbacks=lambda model, epoch, logs: epochs.append(epoch)).fit(X, Y)
    assert epochs == list(range(model.n_iter_))
    assert len(model.history["val_loss"]) == model.n_iter_ > model.best_epoch_
    assert model.stop_reason_ == "early_stopping"


def test_it_is_told_of(capsys: pytest.CaptureFixture[str]) -> None:
    model = trainer(verbose=2).fit(X, Y)
    last = capsys.readouterr().out.splitlines()[-1]
    assert last == f"once more, on all 300 rows: {model.best_epoch_ + 1} epochs"


def test_a_verbosity_that_a_callback_sets_counts_from_the_next_fit_on(
    capsys: pytest.CaptureFixture[str],
) -> None:
    trainer(callbacks=lambda model, epoch, logs: setattr(model, "verbose", 2)).fit(X, Y)
    assert capsys.readouterr().out == ""


def test_after_a_restart_it_goes_by_the_reported_rate() -> None:
    settings: dict[str, Any] = {
        "optimizer": "sgd", "scaling": 10.0, "epochs": 4, "early_stopping": True,
        "dtype": "float64",
    }  # fmt: skip
    rows = np.random.default_rng(2).standard_normal((300, 4))
    targets = rows @ [1.0, 2, 3, 4]
    with pytest.warns(FitWarning, match=r"it starts again with 0\.01"):
        model = trainer(**settings).fit(rows, targets)
    assert model.auto_["learning_rate"] == 0.01  # 0.1 * 0.1 is more
    again = settings | {
        "refit": False, "learning_rate": 0.01, "epochs": model.best_epoch_ + 1,
        "early_stopping": False, "batch_size": model.auto_["batch_size"],
    }  # fmt: skip
    assert same_weights(model.get_weights(), trainer(**again).fit(rows, targets).get_weights())


def test_bad_company() -> None:
    model = trainer()
    with pytest.raises(ValueError, match="refit has no effect beside validation_data, whose rows"):
        model.fit(X, Y, validation_data=(X, Y))
    with pytest.raises(ValueError, match="refit has no effect in partial_fit; got True"):
        model.partial_fit(X, Y)
    with pytest.raises(ValueError, match="refit has no effect in fit_stream; got True"):
        model.fit_stream(lambda: [(X, Y)])
    assert not hasattr(model, "layer_sizes_")


@pytest.mark.parametrize("what", ["an interrupt", "a divergence", "a stop", "nothing"])
def test_a_refit_that_is_stopped_keeps_the_first_training(
    what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, real, epochs = trainer(), StopsWith.__call__, []

    def called(self: Any, again: Any, epoch: int, logs: dict[str, float]) -> None:
        epochs.append(epoch)
        if what == "an interrupt":
            raise KeyboardInterrupt
        if what == "a divergence":
            raise FloatingPointError("the loss is nan")
        model.stop_training = what == "a stop"  # as another thread does
        real(self, again, epoch, logs)

    monkeypatch.setattr(StopsWith, "__call__", called)
    ends: Any = nullcontext()
    if what == "an interrupt":
        ends = pytest.raises(KeyboardInterrupt)
    if what == "a divergence":
        ends = pytest.warns(FitWarning, match=r"all rows failed, .* stays: the loss is nan")
    with ends:
        model.fit(X, Y)
    first = trainer(refit=False).fit(X, Y).get_weights()
    if what == "nothing":
        assert epochs == list(range(model.best_epoch_ + 1))
        assert not same_weights(model.get_weights(), first)
    else:
        assert epochs == [0]
        assert same_weights(model.get_weights(), first)


@pytest.mark.threading
def test_several_at_once() -> None:
    ensemble = Ensemble(trainer(), 3).fit(X, LABELS)
    for member in ensemble.members:
        alone = trainer(seed=member.seed).fit(X, LABELS)
        assert same_weights(member.get_weights(), alone.get_weights())


@pytest.mark.parametrize("name", ["tabular", "images", "text"])
def test_presets_are_plain_settings(name: str) -> None:
    preset = getattr(presets, name)
    assert type(preset) is dict
    model = Trainer(**preset, seed=0)
    assert {key: getattr(model, key) for key in preset} == preset
    other = Trainer(**preset | {"hidden": 4, "dropout": 0.0, "loss": "squared_error"})
    assert other.hidden == 4


def test_a_table_as_it_comes() -> None:
    table = pd.DataFrame(X, columns=list("abcd"))
    table["town"] = pd.Categorical(np.array(["Oslo", "Rome", "Lima"])[LABELS])
    table.loc[::7, "a"] = NAN
    model = Trainer(16, **presets.tabular, seed=0).fit(table, LABELS)
    assert model.score(table, LABELS) > 0.95


def test_images_drop_pixels_and_units() -> None:
    pixels = RNG.integers(0, 256, (120, 64)).astype(np.uint8)
    pixels[:, 0] = np.where(np.arange(120) % 2, 250, 5)
    model = Trainer(**presets.images, seed=0).fit(pixels, np.arange(120) % 2)
    assert model.layer_sizes_ == (64, 512, 2)
    assert model.score(pixels, np.arange(120) % 2) > 0.95


def test_words_of_texts() -> None:
    rows = sparse.random(400, 3_000, 0.02, format="csr", random_state=0)
    topics = np.arange(400) % 2
    rows += sparse.csr_array((np.ones(400), (np.arange(400), topics)), shape=rows.shape)
    model = Trainer(**presets.text, seed=0).fit(rows, topics)
    assert model.scaling_.kind == "none"
    assert model.score(rows, topics) > 0.95
