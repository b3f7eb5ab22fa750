"""Rows of pandas: taken by position, with a warning where their labels say something else."""

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest

from fastmlp import Ensemble, Trainer
from tests.helpers.basics import needs_compiler
from tests.helpers.models import X, Y, same_weights, trainer

pytestmark = needs_compiler

FRAME, SERIES = pd.DataFrame(X, columns=list("abcd")), pd.Series(Y)
WEIGHTS = pd.Series(np.ones(60))
BACK = np.arange(60)[::-1]


def text(later: str = "Y", first: str = "X", prefix: str = "") -> str:
    return (
        f"the index of {prefix}{later} has the labels of that of {prefix}{first} in another order: "
        "rows are taken by their position, not by their labels"
    )


MIXED: dict[str, tuple[Callable[[], Any], list[str]]] = {
    "fit": (lambda: trainer().fit(FRAME, SERIES.iloc[BACK]), [text()]),
    "X": (lambda: trainer().fit(FRAME.sample(frac=1, random_state=0), SERIES), [text()]),
    "a table of Y": (lambda: trainer().fit(FRAME, SERIES.to_frame().iloc[BACK]), [text()]),
    "weights": (
        lambda: trainer().fit(FRAME, SERIES, sample_weight=WEIGHTS.iloc[BACK]),
        [text("sample_weight")],
    ),
    "both": (
        lambda: trainer().fit(FRAME, SERIES.iloc[BACK], sample_weight=WEIGHTS.iloc[BACK]),
        [text(), text("sample_weight")],
    ),
    "weights beside an array": (
        lambda: trainer().fit(X, SERIES, sample_weight=WEIGHTS.iloc[BACK]),
        [text("sample_weight", "Y")],
    ),
    "validation": (
        lambda: trainer().fit(FRAME, SERIES, validation_data=(FRAME, SERIES.iloc[BACK])),
        [text(prefix="validation ")],
    ),
    "validation weights": (
        lambda: trainer().fit(FRAME, SERIES, validation_data=(FRAME, SERIES, WEIGHTS.iloc[BACK])),
        [text("sample_weight", prefix="validation ")],
    ),
    # Statistics are learned from the first chunk, before it is trained on.
    "chunks": (lambda: trainer().fit_stream(lambda: [(FRAME, SERIES.iloc[BACK])]), [text()] * 4),
    "partial_fit": (lambda: trainer().partial_fit(FRAME, SERIES.iloc[BACK]), [text()]),
    "evaluate": (lambda: named_model().evaluate(FRAME, SERIES.iloc[BACK]), [text()]),
    "score": (
        lambda: named_model().score(FRAME, SERIES, WEIGHTS.iloc[BACK]), [text("sample_weight")],
    ),
    "strings": (lambda: fit_with(WORDS), [text()]),
    "several levels": (lambda: fit_with(LEVELS), [text()]),
    "repeated": (lambda: fit_with(WORDS.str[:1]), [text()]),
}  # fmt: skip
WORDS = pd.Index([f"{n % 7} of {n}" for n in range(60)])
LEVELS = pd.MultiIndex.from_arrays([np.arange(60) % 7, np.arange(60)])


def named_model() -> Trainer:
    return trainer().fit(FRAME, SERIES)


def fit_with(index: pd.Index) -> Trainer:
    return trainer().fit(FRAME.set_axis(index), SERIES.set_axis(index[BACK]))


@pytest.mark.parametrize("kind", MIXED)
def test_rows_whose_labels_are_in_another_order(kind: str) -> None:
    use, messages = MIXED[kind]
    with pytest.warns(UserWarning, match="in another order") as told:
        use()
    assert [str(one.message) for one in told] == messages
    assert {one.filename for one in told} == {__file__}


def test_rows_are_taken_by_position() -> None:
    with pytest.warns(UserWarning, match=re.escape(text())):
        model = trainer().fit(FRAME, SERIES.iloc[BACK])
    wanted = trainer().fit(X, Y[BACK])
    assert same_weights(model.get_weights(), wanted.get_weights())


def test_labels_that_agree_or_are_others_say_nothing() -> None:
    shuffled = FRAME.sample(frac=1, random_state=0)
    pairs: list[tuple[Any, ...]] = [
        (shuffled, SERIES[shuffled.index]),
        (FRAME, SERIES.set_axis(range(100, 160))),
        (FRAME, SERIES.set_axis(range(1, 61))),
        (FRAME, SERIES.set_axis(WORDS)),
        (FRAME, SERIES.set_axis(LEVELS)),
        (FRAME.set_axis(LEVELS), SERIES),
        (FRAME, SERIES.set_axis(pd.date_range("2020-01-01", periods=60))),
        (FRAME, SERIES.set_axis(pd.Index(range(60), dtype="Int64"))),
        (FRAME, SERIES.set_axis(pd.Index(range(60), dtype=object))),
        (FRAME.set_axis(pd.CategoricalIndex(WORDS)), SERIES.set_axis(WORDS)),
        (FRAME, Y),
        (X, SERIES.iloc[BACK]),
        (FRAME.iloc[BACK], Y, WEIGHTS.tolist()),
        (pl.from_pandas(FRAME), SERIES.iloc[BACK]),
        (FRAME.iloc[BACK], pl.Series(Y)),
        (FRAME.set_axis([0] * 60), SERIES.set_axis([0] * 60)),
    ]
    for pair in pairs:
        trainer(warm_start=True).fit(
            *pair[:2], sample_weight=[*pair, None][2], validation_data=pair
        )


def test_an_ensemble_tells_of_the_order_of_rows() -> None:
    ensemble = Ensemble(trainer(), 2).fit(FRAME, SERIES)
    with pytest.warns(UserWarning, match=re.escape(text())):
        ensemble.score(FRAME, SERIES.iloc[BACK])
