"""When to stop: ``python examples/early_stopping.py``.

Of 3,000 digits of MNIST 30% have a random label. A network first learns what is common to the
digits of a label, then the wrong labels, one by one. One fit trains to the end. One stops when the
loss on a held-out fifth of the rows has not improved for five epochs, and keeps the best weights.
One trains once more after that, on all rows, for as many epochs (``refit=True``).
"""

from typing import Any

import numpy as np
from mnist import load_mnist
from picture import parse_args, write

from fastmlp import EarlyStopping, Trainer

N_ROWS, REDRAWN = 3_000, 0.3
N_EPOCHS, PATIENCE = 60, 5


def main() -> None:
    args = parse_args("Train with and without early stopping.", "early_stopping")
    X, Y, X_test, Y_test = load_mnist()
    rng = np.random.default_rng(args.seed)
    random = rng.random(N_ROWS) < REDRAWN
    X, Y = X[:N_ROWS], np.where(random, rng.integers(10, size=N_ROWS), Y[:N_ROWS])
    tested: list[float] = []  # after each epoch; no fit sees it

    def test(trainer: Trainer, epoch: int, logs: dict[str, float]) -> None:
        tested.append(trainer.score(X_test, Y_test))

    options: dict[str, Any] = {"hidden": 256, "batch_size": 32, "epochs": N_EPOCHS}
    options |= {"scaling": None, "validation_fraction": 0.2, "seed": args.seed}
    patient = EarlyStopping(patience=PATIENCE)
    trainers = {
        "to the end": Trainer(**options, callbacks=test),
        "early stopping": Trainer(**options, early_stopping=patient),
        "and a refit": Trainer(**options, early_stopping=patient, refit=True),
    }
    print(f"{'':16}{'epochs':>8}{'weights of epoch':>18}{'test accuracy':>15}")
    scores, epochs = [], []
    for name, trainer in trainers.items():
        kept = trainer.fit(X, Y).best_epoch_ + 1
        epochs.append(trainer.n_iter_ + (kept if trainer.refit else 0))
        scores.append(trainer.score(X_test, Y_test))
        print(f"{name:16}{epochs[-1]:8}{kept:18}{scores[-1]:15.2%}")
    gain, further = 100 * np.diff(scores)
    print(
        f"Stopping gains {gain:.1f} points of accuracy in {epochs[1]} epochs instead of "
        f"{N_EPOCHS}, a refit on all rows {further:.1f} more."
    )

    def draw(left: Any, right: Any) -> None:
        to_the_end, stopped, _ = trainers.values()
        kept, axis = stopped.best_epoch_ + 1, range(1, N_EPOCHS + 1)
        left.plot(axis, to_the_end.history["loss"], "--", color="C0", label="training")
        left.plot(axis, to_the_end.history["val_loss"], color="C0", label="held-out rows")
        left.plot(kept, stopped.history["val_loss"][kept - 1], "o", color="C3", label="kept")
        left.set(ylabel="loss (cross-entropy)", ylim=(0, None))
        right.plot(axis, tested, color="C0", label="to the end")
        right.plot(kept, scores[1], "o", color="C3", label="early stopping")
        right.plot(kept, scores[2], "*", color="C2", markersize=12, label="and a refit on all rows")
        right.set(ylabel="accuracy on 10,000 test digits")
        right.yaxis.set_major_formatter("{x:.0%}")
        for ax in (left, right):
            ax.axvspan(stopped.n_iter_, N_EPOCHS, color="0.92", zorder=0)
            ax.set(xlabel="epoch (grey: saved by stopping)", xlim=(0, N_EPOCHS))
            ax.legend(framealpha=1)
        left.figure.suptitle(
            f"{REDRAWN:.0%} of the labels are random: stopping after {epochs[1]} epochs "
            f"gains {gain:.0f} points of accuracy"
        )

    write(args.plot, draw, 2)


if __name__ == "__main__":
    main()
