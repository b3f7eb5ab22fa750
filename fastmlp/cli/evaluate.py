"""``fastmlp evaluate``: scores of a model on the rows of a file."""

from collections.abc import Iterable
from typing import Any

import numpy as np

from ..data import Array
from ..data.targets import Samples
from ..load import load
from ..settings import check_setting
from ..trainer import Trainer
from .libsvm import TARGET, is_libsvm, read_for, refuse
from .parser import Commands, add_command, value
from .pieces import Labelled, Pieces
from .reading import LARGE, size_of
from .say import no_warnings, say
from .scoring import constant, members, per_class, score_table

_TEXT = """\
Score a model on the rows of a table, beside the most frequent class or the mean of these rows.
"""
_EXAMPLES = """\
  fastmlp evaluate iris.safetensors iris.csv
  fastmlp evaluate iris.safetensors iris.csv --metric balanced_accuracy,f1
"""
# Classes of which a table is printed.
_FEW = 20


def add(commands: Commands) -> None:
    """Add the command and its arguments."""
    parser = add_command(
        commands, "evaluate", run, short="score a model on the rows of a table", text=_TEXT,
        examples=_EXAMPLES,
    )  # fmt: skip
    parser.add_argument("model", metavar="MODEL", help="file of fastmlp train, or of save()")
    parser.add_argument("data", metavar="DATA", help="rows with the target")
    parser.add_argument(
        "--target", metavar="COLUMN", help="by default that of fastmlp train, which the model knows"
    )
    parser.add_argument("--weights", metavar="COLUMN", help="weights of the rows")
    parser.add_argument(
        "--metric", "--metrics", dest="metrics", type=value, metavar="NAME",
        help="metrics beside the usual ones, separated by commas",
    )  # fmt: skip
    parser.add_argument("--array", metavar="NAME", help="array of DATA with the rows, in .npz")


def run(given: dict[str, Any]) -> None:
    """Score the model, and print tables."""
    model = load(given["model"])
    metrics = check_setting("metrics", given.get("metrics", "auto")) or ()
    trainers = members(model)
    first = trainers[0]
    if is_libsvm(given["data"]):
        rows, target = _of_libsvm(given, first), TARGET
    else:
        rows, target = _labelled(given, model, first)
    # A large file is read again for each model.
    parts = rows if size_of(given["data"]) > LARGE else list(rows)
    y, w, predicted = _gathered(model, parts)
    _check(first, y, w, target)
    more = rows.left_out() if isinstance(rows, Labelled) else ""
    say("read", f"{given['data']}: {len(y):,} rows{more}; target {target}")
    name, best = constant(first, y, w)
    with no_warnings():
        text, _ = score_table({"model": trainers, name: [best]}, parts, metrics)
    print(text)
    outputs = first.model_.encoding.outputs
    if outputs.kind in ("classes", "pair") and len(outputs.labels) <= _FEW:
        print("\n" + per_class(outputs.labels.tolist(), y, predicted))


def _of_libsvm(given: dict[str, Any], trainer: Trainer) -> Iterable[Samples]:
    refuse(given, ("target", "weights", "array"))
    return [(*read_for(given["data"], trainer), None)]


def _labelled(given: dict[str, Any], model: Any, trainer: Trainer) -> tuple[Iterable[Samples], str]:
    """Rows with the target, and its name."""
    target = given.get("target", getattr(model, "target_name", None))
    if target is None:
        raise ValueError(f"{given['model']} does not know its target: give --target COLUMN")
    pieces = Pieces(given["data"], trainer, (), given.get("array"))
    return Labelled(pieces, target, given.get("weights")), target


def _gathered(model: Any, parts: Iterable[Samples]) -> tuple[Array, Array | None, Array]:
    """Targets, weights and predictions of all rows."""
    y, weights, predicted = zip(*((y, w, model.predict(X)) for X, y, w in parts), strict=True)
    w = None if weights[0] is None else np.concatenate(weights)
    return np.concatenate(y), w, np.concatenate(predicted)


def _check(trainer: Trainer, y: Array, weights: Array | None, name: str) -> None:
    """Raise a ValueError that names the column if targets are not those of the model."""
    model = trainer.model_
    try:
        model.encoding.targets(y, len(y), weights, model.network.dtype)
    except (TypeError, ValueError) as error:
        raise ValueError(f"target {name!r} does not fit the model: {error}") from None
