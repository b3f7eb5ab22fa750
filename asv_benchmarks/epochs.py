"""How long does an epoch of 784-128-10 take, on rows without zeros and on MNIST?"""

from pathlib import Path
from typing import Any

import numpy as np

from fastmlp import Trainer

MNIST = Path(__file__).parents[1] / "examples" / "mnist.npz"
N_ROWS = 12_000


def gaussian() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    return rng.standard_normal((N_ROWS, 784), np.float32), rng.integers(10, size=N_ROWS)


def mnist() -> tuple[np.ndarray, np.ndarray]:
    with np.load(MNIST) as data:
        images = data["train_images"][:N_ROWS].reshape(N_ROWS, -1)
        return np.divide(images, 255, dtype=np.float32), data["train_labels"][:N_ROWS]


class Epoch:
    """A fit of one epoch, batch 32, SGD; compiled beforehand."""

    params = (["gaussian", "mnist"],)
    param_names = ("data",)

    def setup(self, data: str) -> None:
        self.X, self.Y = {"gaussian": gaussian, "mnist": mnist}[data]()
        self.time_epoch(data)

    def time_epoch(self, data: str) -> Any:
        trainer = Trainer(hidden=128, optimizer="sgd", batch_size=32, epochs=1, seed=0)
        return trainer.fit(self.X, self.Y)
