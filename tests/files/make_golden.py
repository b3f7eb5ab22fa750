"""Writes the golden files of the present format: run it once for each new format.

``python -m tests.files.make_golden``. Files of older formats stay as they are.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np

import fastmlp
from fastmlp import EarlyStopping
from fastmlp.network.saved_state import FORMAT
from tests.helpers.models import X, Y

FOLDER = Path(__file__).parent / "golden"
ROWS = X[::6]
LABELS = np.array(["one", "two", "three"])[Y]


def table() -> Any:
    """Rows with categories, gaps and names."""
    import pandas as pd

    columns = {"a": np.where(Y == 1, np.nan, X[:, 0]), "b": X[:, 1]}
    return pd.DataFrame({**columns, "c": pd.Categorical(np.array(list("xyz"))[Y])})


def models() -> dict[str, Any]:
    """A fitted model of each kind."""
    options: dict[str, Any] = {"epochs": 12, "seed": 0, "warm_start": True, "batch_size": 16}
    stopping = EarlyStopping(patience=3)
    trainer = fastmlp.Trainer(
        5, missing="impute", early_stopping=stopping, weight_averaging=0.5, **options
    )
    linear = fastmlp.Trainer((), loss="huber", scaling="quantile", dtype="float64", **options)
    ensemble = fastmlp.Ensemble(fastmlp.Trainer(3, optimizer="amsgrad", **options), k=2)
    given: dict[str, Any] = {
        "hidden_layer_sizes": 4,
        "max_iter": 12,
        "tol": 0.0,
        "warm_start": True,
    }
    given |= {"random_state": np.random.RandomState(0)}
    return {
        "trainer": trainer.fit(table(), LABELS),
        "linear": linear.fit(X, X[:, 0]),
        "ensemble": ensemble.fit(X, Y),
        "classifier": fastmlp.MLPClassifier(**given).fit(X, LABELS),
        "regressor": fastmlp.MLPRegressor(scaling="piecewise", **given).fit(X, X[:, :2]),
    }


def answers(model: Any, rows: Any) -> list[Any]:
    """Probabilities, or predicted numbers."""
    call = getattr(model, "predict_proba", None) or model.predict
    numbers: list[Any] = call(rows).tolist()
    return numbers


if __name__ == "__main__":
    folder = FOLDER / f"format_{FORMAT}"
    folder.mkdir(parents=True)
    expected = {}
    for name, model in models().items():
        model.save(folder / f"{name}.safetensors")
        expected[name] = answers(model, table()[::6] if name == "trainer" else ROWS)
    (folder / "predictions.json").write_text(json.dumps(expected, indent=1) + "\n")
