"""Cost of each activation, loss, optimizer, penalty and dropout over plain ReLU and SGD.

An epoch of 784-128-10 on dense rows in batches of 32, with one setting changed in each case.
``python -m asv_benchmarks.combinations`` prints the ratios to plain epochs: each case alternates
with a plain one, and the best of all rounds counts.
"""

import ast
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from asv_benchmarks import as_they_come, options
from fastmlp import Trainer

N_ROWS, N_FEATURES, N_UNITS, N_OUTPUTS = 12_000, 784, 128, 10
ROUNDS = 7
EPOCHS = 3  # of a fit in the report

Settings = dict[str, Any]
Array = npt.NDArray[Any]


def _names(file: str, table: str) -> list[str]:
    """Keys of a table, read from the sources beside this file.

    Not from the installed package: asv identifies cases by their index in ``params``, which must
    be the same on every commit.
    """
    source = Path(__file__).parents[1].joinpath("fastmlp", file).read_text(encoding="utf-8")
    for node in ast.parse(source).body:
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        if any(isinstance(target, ast.Name) and target.id == table for target in targets):
            return list(ast.literal_eval(ast.List(node.value.keys, ast.Load())))  # type: ignore
    raise LookupError(f"no table {table} in {file}")


def _sgd(**settings: Any) -> Settings:
    from fastmlp.optimizers import SGD  # not on older commits

    return {"optimizer": SGD(**settings)}


PLAIN = "plain: relu sgd softmax_cross_entropy"
CASES: dict[str, Callable[[], Settings]] = {PLAIN: dict}
for setting, file, table in (
    ("activation", "kernels/plugins/activations.py", "ACTIVATIONS"),
    ("loss", "losses.py", "LOSSES"),
    ("optimizer", "optimizers.py", "OPTIMIZERS"),
):
    for name in _names(file, table):
        if name in PLAIN.split():
            continue
        CASES[f"{setting}={name}"] = partial(dict, {setting: name})
CASES |= {
    "momentum": partial(_sgd, momentum=0.9),
    "nesterov": partial(_sgd, momentum=0.9, nesterov=True),
    "weight_decay": partial(_sgd, weight_decay=0.01),
    "l2": partial(dict, l2=1e-4),
    "l1": partial(dict, l1=1e-5),
    "clip_norm": partial(dict, clip_norm=1.0),
    "dropout of units": partial(dict, dropout=0.5),
    "dropout of features": partial(dict, dropout=(0.2, 0.0)),
    "label_smoothing": partial(dict, label_smoothing=0.1),
    "class_weight": partial(dict, class_weight={0: 2.0}),
}


def trainer_of(case: str, epochs: int = 1) -> Trainer:
    """A trainer for a case, with a small learning rate, so that no case diverges.

    Raises
    ------
    NotImplementedError
        If this version of fastmlp does not know the setting.
    """
    plain: Settings = {"hidden": N_UNITS, "optimizer": "sgd", "batch_size": 32, "seed": 0}
    plain |= as_they_come(Trainer)
    try:
        return Trainer(**plain | {"learning_rate": 0.001, "epochs": epochs} | CASES[case]())
    except (ImportError, TypeError, ValueError) as error:
        raise NotImplementedError(f"this version does not know {case}") from error


@cache
def rows(n: int) -> Array:
    return np.random.default_rng(0).standard_normal((n, N_FEATURES), np.float32)


@cache
def targets(kind: str, n: int) -> Array:
    """Targets of a kind: the ``targets`` of a loss."""
    rng = np.random.default_rng(1)
    columns: dict[str, Callable[[], Array]] = {
        "classes": lambda: np.arange(n) % N_OUTPUTS,
        "labels": lambda: rng.integers(0, 2, (n, N_OUTPUTS)),
        "numbers": lambda: rng.standard_normal((n, N_OUTPUTS)),
        "counts": lambda: rng.poisson(2.0, (n, N_OUTPUTS)),
    }
    return columns[kind]()


def kind_of(case: str) -> str:
    """Kind of the targets of a case."""
    setting, _, name = case.partition("=")
    if setting != "loss":
        return "classes"
    from fastmlp.losses import LOSSES  # not on older commits

    return LOSSES[name].targets


def fit(case: str, n: int = N_ROWS, epochs: int = 1) -> Trainer:
    trainer = trainer_of(case, epochs)
    return trainer.fit(rows(n), targets(kind_of(case), n))


@cache
def warm_up(case: str) -> None:
    """Compile once per process, though asv calls ``setup`` before every sample."""
    fit(case)


class Epoch:
    """A fit of one epoch with compiled kernels, checks of the input included."""

    params = (list(CASES),)
    param_names = ("case",)

    def setup(self, case: str) -> None:
        trainer_of(case)
        warm_up(case)

    def time_epoch(self, case: str) -> Any:
        return fit(case)


def ratios(n: int, rounds: int) -> dict[str, tuple[float, float]]:
    """Seconds of an epoch of each case, and the ratio to a plain one measured in turn."""
    times: dict[str, list[tuple[float, float]]] = {case: [] for case in CASES}
    for _ in range(rounds + 1):  # the first compiles
        for case, pairs in times.items():
            beside, own = (min(fit(name, n, EPOCHS).history["seconds"]) for name in (PLAIN, case))
            pairs.append((own, beside))
    best = {case: np.min(pairs[1:], axis=0).tolist() for case, pairs in times.items()}
    return {case: (own, own / beside) for case, (own, beside) in best.items()}


def main() -> None:
    parser = options.parser_of(__file__, __doc__)
    options.add_count(parser, "--rows", N_ROWS, "rows of an epoch")
    options.add_count(parser, "--rounds", ROUNDS, "times that each case is tried")
    args = parser.parse_args()
    print(f"{f'{args.rows:,} rows, 784-128-10, batch 32':42}{'epoch':>10}{'ratio':>8}")
    for case, (seconds, ratio) in ratios(args.rows, args.rounds).items():
        print(f"{case:42}{1e3 * seconds:7.1f} ms{ratio:8.2f}")


if __name__ == "__main__":
    main()
