"""More data than fit in memory: ``python examples/streaming.py``.

Digits of MNIST, each shifted by up to two pixels in both directions, generated during training:
all chunks are different, and at most two are in memory. The same network, trained for as many
rows on the 60,000 original digits, is less accurate on other digits.
"""

import argparse
import tracemalloc
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
from mnist import DATA

import fastmlp
from fastmlp import Trainer

Array = npt.NDArray[Any]

CHUNK, MOST = 10_000, 2  # rows; pixels


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
    parser = argparse.ArgumentParser(description="Train on a stream of shifted digits.")
    parser.add_argument("--seed", type=int, default=0, help="of the stream and the network")
    parser.add_argument("--chunks", type=int, default=120, help="of 10,000 rows; default: 120")
    args = parser.parse_args()
    with np.load(DATA) as data:
        images, labels = data["train_images"], data["train_labels"]
        test = scaled(data["test_images"]), data["test_labels"]

    options: dict[str, Any] = {"hidden": 256, "optimizer": "adam", "batch_size": 128}
    options["scaling"] = None  # pixels are in 0..1
    trainer = Trainer(**options, epochs=1, seed=args.seed)
    fastmlp.warmup(trainer, n_features=784)
    tracemalloc.start()
    trainer.fit_stream(shifted(images, labels, args.chunks, args.seed), classes=np.arange(10))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    n_rows = args.chunks * CHUNK
    print(f"rows: {n_rows:,}, together {n_rows * 784 * 4 / 1e6:,.0f} MB")
    print(f"most memory at a time: {peak / 1e6:,.0f} MB")

    epochs = max(1, n_rows // len(images))
    plain = Trainer(**options, epochs=epochs, seed=args.seed).fit(scaled(images), labels)
    print(f"test accuracy, shifted digits: {trainer.score(*test):.2%}")
    print(f"test accuracy, {epochs} epochs of the digits as they are: {plain.score(*test):.2%}")


if __name__ == "__main__":
    main()
