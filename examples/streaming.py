"""More data than fit in memory: ``python examples/streaming.py``.

Digits of MNIST, each shifted by up to two pixels in both directions, generated during training:
all chunks are different, and at most two are in memory. The same network, trained for as many
rows on the 60,000 original digits, is less accurate on other digits.
"""

import tracemalloc
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
from mnist import DATA
from picture import parse_args, write

import fastmlp
from fastmlp import Trainer

Array = npt.NDArray[Any]

CHUNK, N_CHUNKS = 10_000, 120  # rows
MOST = 2  # pixels


def scaled(images: Array) -> Array:
    pixels: Array = images.reshape(len(images), -1) / np.float32(255)
    return pixels


def shifted(
    images: Array, labels: Array, n_chunks: int, seed: int
) -> Iterator[tuple[Array, Array]]:
    """Yield chunks of shifted images and their labels."""
    rng = np.random.default_rng(seed)
    padded = np.pad(images, ((0, 0), (MOST, MOST), (MOST, MOST)))
    rows = np.arange(28)
    for _ in range(n_chunks):
        chosen = rng.integers(len(images), size=CHUNK)
        down, right = rng.integers(2 * MOST + 1, size=(2, CHUNK, 1)) + rows
        yield (
            scaled(padded[chosen[:, None, None], down[:, :, None], right[:, None]]),
            labels[chosen],
        )


def main() -> None:
    args = parse_args("Train on a stream of shifted digits.", "streaming")
    with np.load(DATA) as data:
        images, labels = data["train_images"], data["train_labels"]
        test = scaled(data["test_images"]), data["test_labels"]

    options: dict[str, Any] = {"hidden": 256, "optimizer": "adam", "batch_size": 128}
    options["scaling"] = None  # pixels are in 0..1
    trainer = Trainer(**options, epochs=1, seed=args.seed)
    fastmlp.warmup(trainer, n_features=784)
    tracemalloc.start()
    trainer.fit_stream(shifted(images, labels, N_CHUNKS, args.seed), classes=np.arange(10))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    n_rows = N_CHUNKS * CHUNK
    megabytes = n_rows * 784 * 4 / 1e6, peak / 1e6
    print(f"rows: {n_rows:,}, together {megabytes[0]:,.0f} MB")
    print(f"most memory at a time: {megabytes[1]:,.0f} MB")

    epochs = max(1, n_rows // len(images))
    plain = Trainer(**options, epochs=epochs, seed=args.seed).fit(scaled(images), labels)
    accuracies = plain.score(*test), trainer.score(*test)
    print(f"test accuracy, {epochs} epochs of the digits as they are: {accuracies[0]:.2%}")
    print(f"test accuracy, shifted digits: {accuracies[1]:.2%}")
    errors = [1 - accuracy for accuracy in accuracies]
    message = (
        f"{megabytes[0]:,.0f} MB of shifted digits in {megabytes[1]:,.0f} MB of memory: "
        f"{errors[1]:.1%} errors instead of {errors[0]:.1%}."
    )
    print(message)

    def draw(left: Any, right: Any) -> None:
        bars = left.bar(["all rows", "in memory at a time"], megabytes, 0.6, color=["0.7", "C0"])
        left.bar_label(bars, fmt="{:,.0f} MB")
        left.set(ylabel="MB", ylim=(0, 1.1 * max(megabytes)))
        names = [f"digits as they are,\n{epochs} epochs", "shifted digits,\nas many rows"]
        bars = right.bar(names, errors, 0.6, color=["0.7", "C0"])
        right.bar_label(bars, fmt="{:.1%}")
        right.set(ylabel="errors on 10,000 test digits")
        right.set(ylim=(0, 1.1 * max(errors)), yticks=np.arange(0, 1.1 * max(errors), 0.005))
        right.yaxis.set_major_formatter("{x:.1%}")
        for ax in (left, right):
            ax.set_axisbelow(True)
        left.figure.suptitle(message)

    write(args.plot, draw, 2)


if __name__ == "__main__":
    main()
