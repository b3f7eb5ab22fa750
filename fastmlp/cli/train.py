"""``fastmlp train``: from a file of rows to a model file, with its score on held-out rows."""

import os
import time
from typing import Any

from ..checks import FRACTION
from ..files import SUFFIX
from ..kernels.language.jit import announcing
from ..settings import SETTINGS, check_setting
from ..trainer import Trainer
from .checked import check_model_path
from .libsvm import ENDINGS, ending_of, is_libsvm
from .parser import Commands, Parser, add_command
from .say import no_warnings, print_epoch, say, shows_bar
from .scoring import constant, score_table
from .settings import DEFAULTS, add_settings, take_settings
from .sources import Source, open_source

_TEXT = """\
Train a network on the rows of a table and save it.

Text becomes categories, dates their parts, gaps are filled; columns of no use, such as names and
row numbers, are left out. All of this is printed. A fifth of the rows is held out: the network is
scored on them, beside the most frequent class or the mean, and beside a linear model. The saved
model is the one that was scored, or with --all-rows another one trained on all rows.
"""
_EXAMPLES = """\
  fastmlp train iris.csv --target species --out iris.safetensors
  fastmlp train houses.parquet --target price --regression --preset tabular --out m.safetensors
  fastmlp train churn.csv --target left --drop id --metric roc_auc --time-budget 60 \\
      --out churn.safetensors
  fastmlp train mnist.npz --target train_labels --preset images --out digits.safetensors
  fastmlp train news.svm --test news_test.svm --out news.safetensors
"""
_HELD_OUT = 0.2
# Endings of the file of new rows in the last line.
_NEW = ".tsv", ".parquet", ".arrow", ".npz"
# Settings of the linear model that are those of the network.
_SHARED = "loss", "class_weight", "missing", "seed", "threads", "time_budget"


def add(commands: Commands) -> None:
    """Add the command and its arguments."""
    parser = add_command(
        commands, "train", run, short="train a network on a table and save it", text=_TEXT,
        examples=_EXAMPLES,
    )  # fmt: skip
    parser.usage = "%(prog)s DATA --target COLUMN --out MODEL [options]"
    parser.add_argument(
        "data", metavar="DATA",
        help=f".csv, .parquet, .arrow, .npz, a folder of Parquet files, or {', '.join(ENDINGS)}",
    )  # fmt: skip
    parser.add_argument(
        "--target", metavar="COLUMN", help="column to predict; files of libsvm have no columns"
    )
    parser.add_argument(
        "--out", required=True, metavar="MODEL", help=f"file to write, ending in {SUFFIX}"
    )
    _add_rows(parser)
    add_settings(parser)


def _add_rows(parser: Parser) -> None:
    columns = parser.add_argument_group("columns")
    columns.add_argument("--drop", nargs="+", metavar="COLUMN", help="columns not to use")
    columns.add_argument(
        "--keep", nargs="+", metavar="COLUMN", help="columns to use that would be left out"
    )
    columns.add_argument("--weights", metavar="COLUMN", help="weights of the rows")
    kind = columns.add_mutually_exclusive_group()
    for name, text in (("classification", "classes"), ("regression", "a quantity")):
        kind.add_argument(
            f"--{name}", dest="kind", action="store_const", const=name,
            help=f"the target is {text}, where whole numbers may be either",
        )  # fmt: skip
    rows = parser.add_argument_group("score")
    held_out = rows.add_mutually_exclusive_group()
    held_out.add_argument("--test", metavar="FILE", help="rows for the score, in place of a share")
    held_out.add_argument(
        "--held-out", type=float, metavar="SHARE",
        help=f"share of the rows for the score, by default {_HELD_OUT}; 0 for no score",
    )  # fmt: skip
    rows.add_argument(
        "--all-rows", action="store_true", help="save a model trained again on all rows"
    )


def run(given: dict[str, Any]) -> None:
    """Train, score and save; print what was done."""
    out = given.pop("out")
    check_model_path(out)
    missing = {"missing": "error"} if is_libsvm(given["data"]) else {}  # zeros are left out
    settings = DEFAULTS | missing | take_settings(given)
    Trainer(**settings)  # errors before anything is read
    share = FRACTION["check"]("--held-out", given.pop("held_out", _HELD_OUT))
    all_rows = given.pop("all_rows", False)
    source = open_source(given, settings, share)
    trainer = _trainer(settings | {"loss": source.loss}, source)
    begin = time.perf_counter()
    _fit(trainer, source, out)
    seconds = time.perf_counter() - begin
    trainer.save(out)
    try:
        _score(trainer, source)
        trainer.save(out)
        say("time", f"{seconds:.1f} s for the network, {_ended(trainer)}")
        if all_rows and source.held_out is not None:
            trainer = _on_all_rows(trainer, source, out)
    except KeyboardInterrupt:
        raise KeyboardInterrupt(f"interrupted: the model that was trained is in {out}") from None
    size = os.path.getsize(out)
    count = source.n_all if all_rows else source.n_rows
    say("model", f"{out}, {size / 1000:,.0f} kB, trained on {count:,} rows; to use it:")
    ending = ending_of(given["data"]) or os.path.splitext(given["data"])[1]
    new = given.get("test", f"new{ending if ending in (*_NEW, *ENDINGS) else '.csv'}")
    say("", f"fastmlp predict {out} {new}")


def _trainer(settings: dict[str, Any], source: Source) -> Trainer:
    trainer = Trainer(**settings)
    if shows_bar():
        trainer.verbose = 1
    else:
        trainer.callbacks = print_epoch
    vars(trainer).update(source.kept)  # attributes of the user's, which the file keeps
    return trainer


def _fit(trainer: Trainer, source: Source, out: str) -> None:
    """Fit; after an interrupt save the network of the epochs that were finished."""
    try:
        with announcing(lambda: say("", "compiling kernels, once on this machine: a few seconds")):
            source.fit(trainer)
    except KeyboardInterrupt:
        if trainer.n_iter_ == 0:
            raise KeyboardInterrupt("interrupted in the first epoch: there is no model") from None
        _silence(trainer)
        trainer.save(out)
        epochs = f"{trainer.n_iter_} epochs"
        raise KeyboardInterrupt(f"interrupted: the model of {epochs} is saved in {out}") from None
    _silence(trainer)


def _ended(trainer: Trainer) -> str:
    """How many epochs the network took, and which one it is of."""
    text = f"{trainer.n_iter_} epochs"
    if trainer.stop_reason_ == "time_budget":
        text += ", as many as the time allowed"
    if trainer.best_epoch_ + 1 < trainer.n_iter_:
        text += f"; the best one was {trainer.best_epoch_ + 1}"
    return text


def _silence(trainer: Trainer) -> None:
    """Leave out of the model file how progress was shown."""
    trainer.verbose, trainer.callbacks = 0, ()


def _score(trainer: Trainer, source: Source) -> None:
    """Print the scores on held-out rows, and keep them with the model."""
    if source.held_out is None:
        say("score", "none, as no rows were held out")
        return
    models = {"network": [trainer]}
    if trainer.layer_sizes_[1:-1]:
        linear = Trainer((), **{name: getattr(trainer, name) for name in _SHARED})
        with no_warnings():
            source.fit_small(linear)
        models["linear"] = [linear]
    name, best = constant(trainer, source.y, source.weights)
    models[name] = [best]
    metrics = check_setting("metrics", trainer.metrics) or ()
    with no_warnings():
        text, scores = score_table(models, source.held_out, metrics)
    print(text)
    vars(trainer)["held_out_scores"] = scores


def _on_all_rows(trainer: Trainer, source: Source, out: str) -> Trainer:
    """Train again on all rows, and save that model in place of the one that was scored."""
    settings = {name: getattr(trainer, name) for name in SETTINGS}
    say("again", f"on all {source.n_all:,} rows")
    again = _trainer(settings, source)
    source.fit_all(again)
    _silence(again)
    vars(again)["held_out_scores"] = vars(trainer)["held_out_scores"]
    again.save(out)
    return again
