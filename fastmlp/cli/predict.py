"""``fastmlp predict``: predictions for the rows of a file."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from ..load import load
from ..trainer import Trainer
from .checked import check_folder
from .libsvm import is_libsvm, read_for, refuse
from .parser import Commands, add_command
from .pieces import Pieces
from .scoring import members
from .writing import KINDS, Columns, writing

_TEXT = """\
Predict the target of each row of a table. The columns of the model are found by their names, others
are ignored. Without --out the predictions are printed as CSV, and nothing else is.
"""
_EXAMPLES = """\
  fastmlp predict iris.safetensors new.csv
  fastmlp predict iris.safetensors new.csv --probabilities --out predictions.csv
  fastmlp predict iris.safetensors new.csv --id rownames --out predictions.parquet
"""


def add(commands: Commands) -> None:
    """Add the command and its arguments."""
    parser = add_command(
        commands, "predict", run, short="predict the rows of a table", text=_TEXT,
        examples=_EXAMPLES,
    )  # fmt: skip
    parser.add_argument("model", metavar="MODEL", help="file of fastmlp train, or of save()")
    parser.add_argument("data", metavar="DATA", help="rows, with or without the target")
    parser.add_argument("--out", metavar="FILE", help=f"file to write: {', '.join(KINDS)}")
    parser.add_argument(
        "--probabilities", action="store_true", help="also the probability of each class"
    )
    parser.add_argument("--id", metavar="COLUMN", help="column of DATA to repeat")
    parser.add_argument("--array", metavar="NAME", help="array of DATA with the rows, in .npz")


def run(given: dict[str, Any]) -> None:
    """Predict piece by piece."""
    model, out = load(given["model"]), given.get("out")
    if out is not None:
        check_folder(out)
        if not out.endswith(KINDS):
            raise ValueError(f"--out must end in one of {', '.join(KINDS)}; got {out!r}")
    own, is_array = given.get("id"), out is not None and out.endswith(".npy")
    if own is not None and is_array:
        raise ValueError("--id has no effect in a file .npy, which holds one array")
    probabilities = given.get("probabilities", False)
    first = members(model)[0]
    if probabilities and first.model_.encoding.outputs.metric == "r2":
        raise ValueError(f"--probabilities needs a model of classes; {given['model']} has numbers")
    others = () if own is None else (own,)
    with writing(out) as writer:
        for X, columns in _pieces(given, first, others):
            if is_array:
                writer.write(model.predict_proba(X) if probabilities else model.predict(X))
            else:
                writer.write(columns | _predicted(model, X, probabilities=probabilities))


def _pieces(
    given: dict[str, Any], trainer: Trainer, others: Sequence[str]
) -> Iterable[tuple[Any, Columns]]:
    """Features, and other columns by name."""
    if is_libsvm(given["data"]):
        refuse(given, ("id", "array"))
        return [(read_for(given["data"], trainer)[0], {})]
    return Pieces(given["data"], trainer, others, given.get("array"))


def _predicted(model: Any, X: Any, *, probabilities: bool) -> Columns:
    """Columns of predictions, and of the probability of each class."""
    name = getattr(model, "target_name", "prediction")
    predicted = model.predict(X)
    columns = (
        {name: predicted} if predicted.ndim == 1
        else {f"{name} {k}": column for k, column in enumerate(predicted.T)}
    )  # fmt: skip
    if probabilities:
        shares = np.asarray(model.predict_proba(X))
        columns |= {
            f"P({label})": column
            for label, column in zip(model.classes_.tolist(), shares.T, strict=True)
        }
    return columns
