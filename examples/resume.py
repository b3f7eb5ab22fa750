"""Resume after an interrupt: ``python examples/resume.py``.

A fit with Adam, a falling learning rate and dropout is interrupted in its fifth epoch, as by
Ctrl-C. A trainer continues from the checkpoint of the last finished one, and ends with the same
weights of a fit that was never interrupted.
"""

import pickle
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from mnist import load_mnist
from picture import parse_args, write

from fastmlp import Trainer
from fastmlp.callbacks import Checkpoint

N_ROWS, N_EPOCHS, INTERRUPTED = 12_000, 10, 5


def interrupt(trainer: Trainer, epoch: int, logs: dict[str, float]) -> None:
    """Interrupt before the checkpoint of this epoch is written."""
    if epoch + 1 == INTERRUPTED:
        raise KeyboardInterrupt


def main() -> None:
    args = parse_args("Interrupt a fit and go on.", "resume")
    X, Y, X_test, Y_test = load_mnist()
    X, Y = X[:N_ROWS], Y[:N_ROWS]
    options: dict[str, Any] = {
        "hidden": 128, "optimizer": "adam", "schedule": "cosine", "dropout": 0.2, "seed": args.seed,
        "batch_size": 32, "scaling": None,
    }  # fmt: skip
    whole = Trainer(**options, epochs=N_EPOCHS).fit(X, Y)

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "checkpoint.pickle"
        callbacks: list[Any] = [interrupt, Checkpoint(file, best_only=False)]
        try:
            Trainer(**options, epochs=N_EPOCHS, callbacks=callbacks).fit(X, Y)
        except KeyboardInterrupt:
            print(f"interrupted in epoch {INTERRUPTED} of {N_EPOCHS}")
        resumed: Trainer = pickle.loads(file.read_bytes())

    done = resumed.n_iter_  # the history goes on, too
    print(f"the checkpoint has {resumed.n_iter_} epochs")
    resumed.callbacks, resumed.warm_start = (), True
    resumed.epochs = N_EPOCHS - resumed.n_iter_
    resumed.fit(X, Y)
    pairs = zip(whole.get_weights(), resumed.get_weights(), strict=True)
    print(f"weights equal, bit for bit: {all(a.tobytes() == b.tobytes() for a, b in pairs)}")
    curves = {name: resumed.history[name] for name in ("loss", "learning_rate")}
    same = all(whole.history[name] == values for name, values in curves.items())
    print(f"losses and learning rates equal: {same}")
    print(f"test accuracy: {whole.score(X_test, Y_test):.2%}, {resumed.score(X_test, Y_test):.2%}")

    print(
        f"The interrupt cost one epoch of {N_EPOCHS}, not {INTERRUPTED}: the checkpoint kept the "
        f"other {done}, and the result is the same."
    )

    def draw(*axes: Any) -> None:
        epochs = np.arange(1, N_EPOCHS + 1)
        for ax, (name, values) in zip(axes, curves.items(), strict=True):
            ax.plot(epochs, whole.history[name], color="0.6", linewidth=5, label="uninterrupted")
            ax.plot(epochs[:done], values[:done], "o-", color="C0", label="until the interrupt")
            ax.plot(epochs[done:], values[done:], "o-", color="C3", label="after it")
            ax.set(xlabel="epoch", ylabel=name.replace("_", " "), ylim=(0, None))
        axes[0].set(ylabel="training loss")
        axes[1].set(ylabel="learning rate at the end of the epoch")
        axes[0].legend(frameon=False)
        axes[0].figure.suptitle("An interrupted fit goes on as if it had never ended, bit for bit")

    write(args.plot, draw, 2)


if __name__ == "__main__":
    main()
