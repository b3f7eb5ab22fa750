"""What does Python cost in short fits? 100 rows of 20 features, two classes, one batch.

Searches and streams are made of such fits. ``time_1001_epochs`` less ``time_one_epoch`` is a
thousand epochs, of which the kernels take a sixth.
"""

import numpy as np

from asv_benchmarks import as_they_come
from fastmlp import Trainer

N_ROWS, EPOCHS = 100, 1_001


class ShortFit:
    params = ([32, 128], ["float32", "float64"])
    param_names = ("hidden", "dtype")

    def setup(self, hidden: int, dtype: str) -> None:
        self.X = np.random.default_rng(0).standard_normal((N_ROWS, 20)).astype(dtype)
        self.Y = np.arange(N_ROWS) % 2
        self.settings = {
            "hidden": hidden, "dtype": dtype, "batch_size": N_ROWS, "seed": 0,
            **as_they_come(Trainer),
        }  # fmt: skip
        self.time_one_epoch()
        self.trainer = Trainer(**self.settings)
        self.time_partial_fit()
        self.time_default_fit()

    def time_one_epoch(self, *_: str) -> None:
        Trainer(epochs=1, **self.settings).fit(self.X, self.Y)

    def time_1001_epochs(self, *_: str) -> None:
        Trainer(epochs=EPOCHS, **self.settings).fit(self.X, self.Y)

    def time_partial_fit(self, *_: str) -> None:
        self.trainer.partial_fit(self.X, self.Y)

    def time_default_fit(self, *_: str) -> None:
        """With validation, early stopping and averaged weights, an epoch has more to do."""
        Trainer(hidden=self.settings["hidden"], seed=0).fit(self.X, self.Y)
