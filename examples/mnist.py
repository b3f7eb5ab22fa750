"""Train a 784-128-10 network on MNIST: ``python examples/mnist.py --config keras``."""

import argparse
import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from fastmlp import Trainer, presets

DATA = Path(__file__).with_name("mnist.npz")  # origin and licence: DATA.md
N_TRAIN = 60_000

CONFIGS: dict[str, dict[str, Any]] = {
    "default": {},
    "images": presets.images,  # more units, with dropout
    "keras": {  # the notebook's Keras model
        "optimizer": "sgd",
        "learning_rate": 0.01,
        "batch_size": 32,
        "epochs": 6,
        "validation_fraction": 0.2,
        "validation_split": "last",
        "scaling": None,
        "initializer": "glorot_uniform",
    },
    "scratch": {  # the notebook's network from scratch: one step on all the rows per epoch
        "optimizer": "sgd",
        "learning_rate": 0.01,
        "batch_size": N_TRAIN,
        "epochs": 200,
        "initializer": "normal",
        "shuffle": False,
        "scaling": None,
    },
}

# Results that the notebook's Keras run printed after epochs 1 to 6.
NOTEBOOK = {
    "val_loss": [0.3760, 0.3077, 0.2760, 0.2545, 0.2373, 0.2238],
    "val_accuracy": [0.8997, 0.9154, 0.9230, 0.9293, 0.9335, 0.9395],
}


def load_mnist() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return X_train (60000, 784), Y_train, X_test (10000, 784), Y_test; X float32 in [0, 1]."""

    def scale(images: np.ndarray) -> np.ndarray:
        scaled: np.ndarray = np.divide(images.reshape(len(images), -1), 255, dtype=np.float32)
        return scaled

    with np.load(DATA) as data:
        return (
            scale(data["train_images"]),
            data["train_labels"],
            scale(data["test_images"]),
            data["test_labels"],
        )


def print_comparison(history: Mapping[str, Sequence[float]]) -> None:
    """Print validation loss and accuracy beside those of the notebook's Keras run."""
    print("\n         val_loss             val_accuracy")
    print("epoch    notebook  fastmlp    notebook  fastmlp")
    rows = zip(
        NOTEBOOK["val_loss"],
        history["val_loss"],
        NOTEBOOK["val_accuracy"],
        history["val_accuracy"],
        strict=False,  # --epochs may ask for fewer or more than the notebook's six
    )
    for epoch, (loss, our_loss, accuracy, our_accuracy) in enumerate(rows, 1):
        print(f"{epoch:5}    {loss:8.4f}  {our_loss:7.4f}    {accuracy:8.4f}  {our_accuracy:7.4f}")


def draw_panel(
    ax: Any,
    metric: str,
    history: Mapping[str, Sequence[float]],
    scored: str,
    reference: Mapping[str, Sequence[float]],
) -> None:
    """Draw one metric, of training rows and those ``scored``, and the reference's points."""

    def draw(label: str, values: Sequence[float], *style: str, **options: Any) -> None:
        ax.plot(range(1, len(values) + 1), values, *style, label=label, **options)

    marker = "o" if len(history[metric]) <= 20 else ""
    draw("training, mean over the epoch", history[metric], marker=marker, markersize=4)
    draw(scored, history[f"val_{metric}"], marker=marker, markersize=4)
    if reference:
        label = "validation, notebook's Keras run"
        draw(label, reference[f"val_{metric}"], "kD", markersize=8, fillstyle="none")
    ax.set(xlabel="epoch", ylabel="loss (cross-entropy)" if metric == "loss" else metric)
    ax.grid(alpha=0.3)
    ax.spines[["top", "right"]].set_visible(False)


def plot(
    history: Mapping[str, Sequence[float]],
    path: Path,
    title: str,
    scored: str,
    reference: Mapping[str, Sequence[float]],
) -> None:
    """Write the curves of loss and accuracy to a PNG, if matplotlib is installed."""
    try:
        import matplotlib
    except ImportError:
        print("no plot, as matplotlib is not installed: pip install '.[plot]'")
        return
    matplotlib.use("Agg")  # draws to files: needs no display
    from matplotlib import pyplot as plt
    from matplotlib.ticker import MaxNLocator

    figure, axes = plt.subplots(1, 2, figsize=(10, 4.2), dpi=120, layout="constrained")
    for ax, metric in zip(axes, ("loss", "accuracy"), strict=True):
        draw_panel(ax, metric, history, scored, reference)
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes[0].set(ylim=(0, None))
    axes[0].legend(frameon=False)
    axes[1].yaxis.set_major_formatter("{x:.0%}")
    figure.suptitle(title)
    figure.savefig(path, format="png")
    print(f"picture written to {path}")


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Train a 784-128-10 network on MNIST.")
    parser.add_argument("--config", choices=CONFIGS, default="default", help="the settings to use")
    parser.add_argument("--epochs", type=int, help="in place of the config's")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, help="default: all that the process may use")
    output = parser.add_mutually_exclusive_group()
    output.add_argument("--plot", type=Path, metavar="PATH", help="default: mnist-<config>.png")
    output.add_argument("--no-plot", action="store_true")
    args = parser.parse_args()
    args.plot = args.plot or Path(f"mnist-{args.config}.png")
    # Fail now rather than after training.
    if not (args.no_plot or os.access(args.plot.parent, os.W_OK)):
        parser.error(f"argument --plot: no such folder, or read-only: {args.plot.parent}")
    return args


def main() -> None:
    args = parse_args()
    settings = dict(CONFIGS[args.config], seed=args.seed, threads=args.threads)
    if args.epochs is not None:
        settings["epochs"] = args.epochs
    X_train, Y_train, X_test, Y_test = load_mnist()
    test: Any = X_test, Y_test
    # Without early stopping, scoring the test digits does not change the fit.
    held_out = "validation_fraction" in settings
    scored = "validation, the last fifth" if held_out else "test, 10,000 digits"
    print(f"val_loss and val_accuracy: {scored}")

    start = time.perf_counter()
    trainer = Trainer(verbose=1, **{"hidden": 128} | settings)
    trainer.fit(X_train, Y_train, validation_data=None if held_out else test)
    seconds = time.perf_counter() - start

    accuracy = trainer.evaluate(*test)["accuracy"]
    print(f"test accuracy {accuracy:.4f}; fit took {seconds:.2f} s (wall time with compilation)")
    reference = NOTEBOOK if args.config == "keras" else {}
    if reference:
        print_comparison(trainer.history)
    if not args.no_plot:
        sizes, trained = "-".join(map(str, trainer.layer_sizes_)), sum(trainer.history["seconds"])
        title = (
            f"MNIST, {sizes}, config {args.config}: test accuracy {accuracy:.2%} "
            f"after {trainer.n_iter_} epochs in {trained:.1f} s"
        )
        plot(trainer.history, args.plot, title, scored, reference)


if __name__ == "__main__":
    main()
