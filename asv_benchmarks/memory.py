"""Memory of a fit beyond its data, 150 MB of float32."""

from typing import Any

import numpy as np

from asv_benchmarks import as_they_come
from fastmlp import Trainer

N_ROWS, N_FEATURES = 48_000, 784


def fit(X: Any, Y: Any) -> None:
    Trainer(
        hidden=128, optimizer="adam", batch_size=128, epochs=1, seed=0, **as_they_come(Trainer)
    ).fit(X, Y)


class Memory:
    """Peak memory with and without a fit; the difference is the fit's."""

    def setup_cache(self) -> None:
        # In another process, so that the memory of the compiler does not count.
        rng = np.random.default_rng(0)
        fit(rng.standard_normal((256, N_FEATURES), np.float32), np.arange(256) % 10)

    def setup(self) -> None:
        rng = np.random.default_rng(0)
        self.X = rng.standard_normal((N_ROWS, N_FEATURES), np.float32)
        self.Y = np.arange(N_ROWS) % 10
        # Both load the compiled kernels.
        fit(self.X[:256], self.Y[:256])

    def peakmem_hold(self) -> None:
        self.X.sum()

    def peakmem_fit(self) -> None:
        fit(self.X, self.Y)
