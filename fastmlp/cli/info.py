"""``fastmlp info``: what a model file holds and what rows the model takes."""

import os
from typing import Any

import numpy as np

from ..ensemble import Ensemble
from ..load import load
from ..outputs import Outputs
from ..trainer import Trainer
from .libsvm import FIRST_INDEX
from .parser import Commands, add_command
from .say import say, say_lines, table
from .scoring import members

_TEXT = """\
Print what a model file holds: target, columns and their categories, settings that differ from the
defaults, the last values of its history, the network.
"""
_EXAMPLES = """\
  fastmlp info iris.safetensors
"""
_SOME = 8


def add(commands: Commands) -> None:
    """Add the command and its arguments."""
    parser = add_command(
        commands, "info", run, short="print what a model file holds", text=_TEXT,
        examples=_EXAMPLES,
    )  # fmt: skip
    parser.add_argument("model", metavar="MODEL", help="file of fastmlp train, or of save()")


def run(given: dict[str, Any]) -> None:
    """Print it."""
    path = given["model"]
    model = load(path)
    first = members(model)[0]
    kind = f"an ensemble of {len(model.members)}" if isinstance(model, Ensemble) else _kind(model)
    say("model", f"{path}, {os.path.getsize(path) / 1000:,.0f} kB: {kind}")
    outputs = first.model_.encoding.outputs
    name = getattr(model, "target_name", "not named")
    say("target", f"{name}: {_described(outputs)}; loss {outputs.loss.name}")
    say_lines("columns", _columns(first))
    say("settings", repr(first))
    _say_fit(first)
    if scores := getattr(model, "held_out_scores", None):
        say("held out", _values(scores))
    print(f"\n{first.summary()}")


def _kind(model: Any) -> str:
    return type(model).__name__


def _described(outputs: Outputs) -> str:
    if outputs.kind not in ("classes", "pair"):
        return str(outputs)
    labels = outputs.labels.tolist()
    return f"{outputs}: {', '.join(map(str, labels[:_SOME]))}{', ...' * (len(labels) > _SOME)}"


def _columns(trainer: Trainer) -> list[str]:
    """A line for each column: its name, its kind and categories, how gaps are filled."""
    columns = trainer.model_.encoding.inputs.columns
    names = getattr(trainer, "feature_names_in_", np.arange(columns.n_given))
    if names.dtype.kind == "i" and columns.medians is None:
        first = getattr(trainer, FIRST_INDEX, 0)
        return [f"{columns.n_given:,} without names, from {first}"]
    rows, number = [], 0
    for j, name in enumerate(names):
        if j in columns.categories:
            keys = columns.categories[j]
            some = ", ".join(map(str, keys[:_SOME])) + ", ..." * (len(keys) > _SOME)
            rows.append([str(name), f"{len(keys)} categories", some])
            continue
        gaps = "" if columns.medians is None else f"gaps become {columns.medians[number]:g}"
        marked = ", marked by a column of their own" if number in columns.gaps else ""
        rows.append([str(name), "number", gaps + marked])
        number += 1
    return table(rows, right=False).splitlines()


def _say_fit(trainer: Trainer) -> None:
    """How the last fit ended, and the values of its best epoch."""
    if trainer.n_iter_ == 0:
        say("fit", "none; weights were set")
        return
    best = trainer.best_epoch_
    say("fit", f"{trainer.n_iter_} epochs, ended by {trainer.stop_reason_}; best epoch {best + 1}:")
    say("", _values({name: own[best] for name, own in trainer.history.items()}))


def _values(values: dict[str, float]) -> str:
    return "   ".join(f"{name} {value:.4g}" for name, value in values.items() if name != "seconds")
