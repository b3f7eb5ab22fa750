"""Rows for training and rows for validation: how many, and which."""

from typing import Any

import numpy as np
import pytest

from fastmlp.data import RawTargets, Split, choose_split, split_rows
from fastmlp.settings.auto import training_count
from tests.helpers.basics import needs_compiler
from tests.helpers.models import X, Y, numbers, trainer


@pytest.mark.parametrize(
    ("n_rows", "fraction", "n_train"),
    [
        (60_000, 0.2, 48_000),
        (60_000, 0.0, 60_000),
        (1, 0.0, 1),
        (10, 0.9, 1),
        (10, 0.3, 7),
        (7, 0.5, 3),
        (3, 1 / 3, 2),
        (3, 2 / 3, 1),
        (2, 0.01, 1),
        (1000, 0.999, 1),
    ],
)
def test_split(n_rows: int, fraction: float, n_train: int) -> None:
    assert training_count(n_rows, fraction) == n_train


@pytest.mark.parametrize("percent", range(1, 100))
def test_split_is_exact_for_percentages(percent: int) -> None:
    for n_rows in (100, 101, 60_000, 99_999):
        exact = n_rows * (100 - percent) // 100
        assert training_count(n_rows, percent / 100) == exact


@pytest.mark.parametrize(("n_rows", "fraction"), [(1, 0.5), (3, 0.9), (10, 0.95), (10, 1e-13)])
def test_split_needs_rows_on_both_sides(n_rows: int, fraction: float) -> None:
    match = rf"validation_fraction={fraction} leaves (0|{n_rows}) of {n_rows} "
    with pytest.raises(ValueError, match=match):
        choose_split(RawTargets(np.arange(n_rows)), fraction, "last", None, None)


@needs_compiler
@pytest.mark.parametrize("split", ["shuffled", "stratified"])
def test_rows_for_validation(split: str) -> None:
    order = np.argsort(Y, kind="stable")  # sorted by label
    model = trainer(validation_fraction=0.2, validation_split=split).fit(X[order], Y[order])
    again = trainer(validation_fraction=0.2, validation_split=split).fit(X[order], Y[order])
    assert numbers(model.history) == numbers(again.history)
    assert len(model.history["val_loss"]) == 3


def test_a_stratified_part_has_as_many_of_each_class() -> None:
    labels = np.repeat(["a", "b", "c"], [60, 30, 10])
    train, rest = split_rows(RawTargets(labels), Split(0, 100, 0.2, "stratified"))
    assert sorted(np.concatenate([train, rest])) == list(range(100))  # type: ignore[list-item]
    assert [(labels[rest] == label).sum() for label in "abc"] == [12, 6, 2]
    with pytest.raises(ValueError, match="validation_split='stratified' needs classes"):
        split_rows(RawTargets(np.linspace(0, 1, 100)), Split(0, 100, 0.2, "stratified"))


@needs_compiler
def test_sorted_labels_are_warned_of() -> None:
    order = np.argsort(Y, kind="stable")
    message = r"classes that the others lack: 2; validation_split="
    with pytest.warns(UserWarning, match=message) as caught:
        trainer(validation_fraction=0.4).fit(X[order], Y[order])
    assert caught[0].filename == __file__


def share_of_rare(y_true: Any, y_pred: Any) -> float:
    return float(np.mean(y_true > 0))


@needs_compiler
@pytest.mark.parametrize("split", ["auto", "last"])
@pytest.mark.parametrize("loss", ["squared_error", "poisson"])
def test_whole_quantities_are_no_classes(loss: str, split: str) -> None:
    """Values that occur once would all be trained on, or a warning name those held out."""
    y = np.concatenate([np.zeros(50, np.int64), np.arange(1, 51)])
    settings = {"loss": loss, "validation_split": split, "validation_fraction": 0.4}
    model = trainer(**settings, metrics=share_of_rare).fit(y[:, None], y)
    assert model.history["val_share_of_rare"][-1] > 0.2
