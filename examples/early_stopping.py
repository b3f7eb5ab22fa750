"""Early stopping: ``python examples/early_stopping.py``.

A network that overfits 3,000 digits of MNIST. One fit runs to the end, the other one
stops when the loss on the held-out fifth has not improved for five epochs, and restores the
weights of the best epoch.
"""

from typing import Any

from mnist import load_mnist
from picture import parse_args, write

from fastmlp import EarlyStopping, Trainer

N_ROWS, N_EPOCHS, PATIENCE = 3_000, 60, 5


def main() -> None:
    args = parse_args("Train with and without early stopping.", "early_stopping")
    X, Y, X_test, Y_test = load_mnist()
    options: dict[str, Any] = {
        "hidden": 256,
        "optimizer": "adam",
        "batch_size": 32,
        "scaling": None,
        "epochs": N_EPOCHS,
        "validation_fraction": 0.2,
        "validation_split": "stratified",
        "seed": args.seed,
    }
    to_the_end = Trainer(**options)
    stopped = Trainer(**options, early_stopping=EarlyStopping(patience=PATIENCE))
    print(f"{'':18}{'epochs':>8}{'seconds':>9}{'best':>6}{'validation loss':>17}{'test loss':>11}"
          f"{'accuracy':>10}")  # fmt: skip
    for name, trainer in (("to the end", to_the_end), ("early stopping", stopped)):
        history = trainer.fit(X[:N_ROWS], Y[:N_ROWS]).history
        kept = history["val_loss"][trainer.best_epoch_]
        test = trainer.evaluate(X_test, Y_test)
        print(
            f"{name:18}{trainer.n_iter_:8}{sum(history['seconds']):9.2f}"
            f"{trainer.best_epoch_ + 1:6}{kept:17.4f}{test['loss']:11.4f}{test['accuracy']:10.2%}"
        )
    print(f"it ended because of: {stopped.stop_reason_}")

    def draw(*axes: Any) -> None:
        for ax, metric in zip(axes, ("loss", "accuracy"), strict=True):
            history = to_the_end.history
            epochs = range(1, N_EPOCHS + 1)
            ax.plot(epochs, history[metric], "--", color="C0", linewidth=1.2, label="training")
            ax.plot(epochs, history[f"val_{metric}"], color="C0", label="validation")
            ax.axvspan(stopped.n_iter_, N_EPOCHS, color="0.9", label="saved by early stopping")
            best = stopped.best_epoch_
            ax.plot(best + 1, history[f"val_{metric}"][best], "o", color="C3", label="weights kept")
            ax.set(xlabel="epoch", ylabel=metric, xlim=(1, N_EPOCHS))
        axes[0].set(ylim=(0, 2 * max(to_the_end.history["val_loss"][1:])))
        axes[1].set(ylim=(0.8, 1.005), yticks=[0.8, 0.85, 0.9, 0.95, 1])
        axes[1].yaxis.set_major_formatter("{x:.0%}")
        axes[0].legend(loc="upper right", framealpha=1)
        axes[0].figure.suptitle(f"Early stopping: 784-256-10 network on {N_ROWS:,} digits of MNIST")

    write(args.plot, draw, 2)


if __name__ == "__main__":
    main()
