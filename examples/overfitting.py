"""Dropout and weight decay against overfitting: ``python examples/overfitting.py``.

Few rows, many features, and some wrong labels: a large network memorizes them.
Three runs differ only in regularization. Training losses are computed while training,
that is with dropped units for dropout.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from picture import parse_args, write

from fastmlp import Trainer
from fastmlp.optimizers import AdamW

Array = npt.NDArray[Any]
History = Mapping[str, Sequence[float]]

N_TRAIN, N_VALIDATION, N_FEATURES = 1_000, 5_000, 20
REDRAWN = 0.1  # fraction of the labels

RUNS: dict[str, dict[str, Any]] = {
    "no regularisation": {"optimizer": AdamW(weight_decay=0.0)},
    "dropout 0.5": {"optimizer": AdamW(weight_decay=0.0), "dropout": 0.5},
    "weight decay 1 (AdamW)": {"optimizer": AdamW(weight_decay=1.0)},
}


def rows(rng: np.random.Generator, n: int) -> tuple[Array, Array]:
    """Three classes, determined by the first few features; a tenth of labels are random."""
    X = rng.standard_normal((n, N_FEATURES))
    scores = np.column_stack([X[:, 0] + X[:, 1] * X[:, 2], X[:, 3] * 1.5, X[:, 4] - X[:, 5]])
    Y = scores.argmax(axis=1)
    wrong = rng.random(n) < REDRAWN
    Y[wrong] = rng.integers(0, 3, wrong.sum())
    return X, Y


def report(histories: Mapping[str, History]) -> None:
    """The last epoch of each run, and its best validation loss."""
    print(f"{'':24}{'training':>18}{'validation':>22}{'least validation':>24}")
    print(
        f"{'run':24}{'loss':>8}{'accuracy':>10}{'loss':>12}{'accuracy':>10}{'loss':>12}{'epoch':>12}"
    )
    for name, history in histories.items():
        best = int(np.argmin(history["val_loss"]))
        print(
            f"{name:24}{history['loss'][-1]:8.3f}{history['accuracy'][-1]:10.1%}"
            f"{history['val_loss'][-1]:12.3f}{history['val_accuracy'][-1]:10.1%}"
            f"{history['val_loss'][best]:12.3f}{best + 1:12}"
        )


def conclusion(histories: Mapping[str, History]) -> str:
    """The best regularisation beside none, in the last epoch."""
    last = {name: history["val_accuracy"][-1] for name, history in histories.items()}
    none, *others = last
    best = max(others, key=last.__getitem__)
    return (
        f"Regularisation keeps the network from learning wrong labels by heart: {last[best]:.1%} "
        f"of new rows are right with {best}, {last[none]:.1%} without."
    )


def main() -> None:
    args = parse_args("Train with and without dropout and weight decay.", "overfitting")
    rng = np.random.default_rng(args.seed)
    X, Y = rows(rng, N_TRAIN)
    validation = rows(rng, N_VALIDATION)
    common: dict[str, Any] = {"batch_size": 32, "epochs": 60}
    common |= {"learning_rate": 0.001, "scaling": None, "seed": args.seed}
    histories: dict[str, History] = {}
    for name, settings in RUNS.items():
        trainer = Trainer(256, **common | settings)
        histories[name] = trainer.fit(X, Y, validation_data=validation).history
    report(histories)
    print(conclusion(histories))

    def draw(*axes: Any) -> None:
        for ax, metric in zip(axes, ("loss", "accuracy"), strict=True):
            for number, (name, history) in enumerate(histories.items()):
                epochs = range(1, len(history["loss"]) + 1)
                ax.plot(epochs, history[metric], "--", color=f"C{number}", linewidth=1.2)
                ax.plot(epochs, history[f"val_{metric}"], color=f"C{number}", label=name)
            ax.set(xlabel="epoch")
        axes[0].set(ylabel="loss (cross-entropy)", ylim=(0, None))
        axes[1].set(ylabel="accuracy")
        axes[1].yaxis.set_major_formatter("{x:.0%}")
        axes[0].legend(frameon=False, loc="upper center")
        for style, label in (("-", f"validation, {N_VALIDATION:,} rows"),
                             ("--", f"training, {N_TRAIN:,} rows, as trained")):  # fmt: skip
            axes[1].plot([], [], style, color="0.4", label=label)
        axes[1].legend(frameon=False, loc="lower right", handles=axes[1].lines[-2:])
        axes[0].figure.suptitle("A large network learns wrong labels by heart: regularise it")

    write(args.plot, draw, 2)


if __name__ == "__main__":
    main()
