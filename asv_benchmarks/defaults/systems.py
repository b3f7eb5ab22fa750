"""The systems of the race with defaults; one hidden layer of 128 where the size is required.

To add one: a function that imports its packages and returns a model with ``fit(X, y)`` and
``predict(X)``, for labels and numbers, and a line in ``SYSTEMS``.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Any

import numpy as np

from ..race.jobs import Array
from ..race.systems import version_of

OURS, LINEAR = "fastmlp", "linear"
HIDDEN = 128


@dataclass(frozen=True)
class Run:
    """Arguments of a system: the kind of targets, a seed and the number of threads."""

    kind: str
    seed: int
    threads: int

    @property
    def classes(self) -> bool:
        return self.kind == "classes"


@dataclass(frozen=True)
class System:
    """A system: its name in tables; ``make(run)`` returns a model; required packages and
    environment variables; whether its first fit in a process compiles or loads code that later
    fits use.
    """

    title: str
    make: Callable[[Run], Any]
    packages: tuple[str, ...]
    environment: dict[str, str] = field(default_factory=dict)
    compiles: bool = False

    def missing(self) -> list[str]:
        """Packages, or modules of one, that are not installed."""
        return [name for name in self.packages if not _found(name)]

    def versions(self) -> dict[str, str]:
        names = {name.partition(".")[0] for name in self.packages}
        return {name: version_of(name) for name in sorted(names)}


def _found(name: str) -> bool:
    package, _, _ = name.partition(".")
    return find_spec(package) is not None and find_spec(name) is not None


def _trainer(run: Run, settings: dict[str, Any]) -> Any:
    from fastmlp import Trainer

    # As explicit as the peers' names, classifier or regressor.
    loss = "softmax_cross_entropy" if run.classes else "squared_error"
    return Trainer(**settings, loss=loss, seed=run.seed, threads=run.threads)


def fastmlp_default(run: Run) -> Any:
    return _trainer(run, {"hidden": HIDDEN})


def fastmlp_linear(run: Run) -> Any:
    return _trainer(run, {"hidden": ()})


def fastmlp_tabular(run: Run) -> Any:
    from fastmlp import presets

    return _trainer(run, presets.tabular)


def fastmlp_ensemble(run: Run) -> Any:
    from fastmlp import Ensemble

    return Ensemble(fastmlp_tabular(run), 8)


def _scaled(model: Any) -> Any:
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return make_pipeline(StandardScaler(), model)


def linear(run: Run) -> Any:
    from sklearn.linear_model import LogisticRegression, Ridge

    # Its default of 100 iterations may be too few.
    return _scaled(LogisticRegression(max_iter=1_000) if run.classes else Ridge())


def sklearn_mlp(run: Run) -> Any:
    from sklearn.neural_network import MLPClassifier, MLPRegressor

    model = MLPClassifier if run.classes else MLPRegressor
    return model(hidden_layer_sizes=(HIDDEN,), random_state=run.seed)


def sklearn_mlp_scaled(run: Run) -> Any:
    return _scaled(sklearn_mlp(run))


def hist_gradient_boosting(run: Run) -> Any:
    from sklearn import ensemble

    boosting = f"HistGradientBoosting{'Classifier' if run.classes else 'Regressor'}"
    return getattr(ensemble, boosting)(random_state=run.seed)


def lightgbm(run: Run) -> Any:
    from lightgbm import LGBMClassifier, LGBMRegressor

    model = LGBMClassifier if run.classes else LGBMRegressor
    return model(random_state=run.seed, n_jobs=run.threads, verbose=-1)


def catboost(run: Run) -> Any:
    from catboost import CatBoostClassifier, CatBoostRegressor

    model = CatBoostClassifier if run.classes else CatBoostRegressor
    return model(
        random_seed=run.seed, thread_count=run.threads, verbose=False, allow_writing_files=False
    )


def chimeraboost(run: Run) -> Any:
    from chimeraboost import ChimeraBoostClassifier, ChimeraBoostRegressor

    model = ChimeraBoostClassifier if run.classes else ChimeraBoostRegressor
    return model(random_state=run.seed, thread_count=run.threads)


def realmlp(run: Run) -> Any:
    """RealMLP's defaults: a fifth of the rows for validation, one network, the best epoch."""
    from pytabkit import RealMLP_TD_S_Classifier, RealMLP_TD_S_Regressor

    model = RealMLP_TD_S_Classifier if run.classes else RealMLP_TD_S_Regressor
    return model(device="cpu", random_state=run.seed, n_threads=run.threads)


class Keras:
    """The network of Keras's tutorials: Normalization, Dense, Adam, the default batches of 32."""

    EPOCHS = 20

    def __init__(self, run: Run) -> None:
        self._run = run
        self._model: Any = None

    def fit(self, X: Array, y: Array) -> None:
        import keras

        keras.utils.set_random_seed(self._run.seed)
        X = X.astype(np.float32)
        normalization = keras.layers.Normalization()
        normalization.adapt(X)
        layers = [normalization, keras.layers.Dense(HIDDEN, activation="relu")]
        if self._run.classes:
            layers.append(keras.layers.Dense(int(y.max()) + 1, activation="softmax"))
        else:
            layers.append(keras.layers.Dense(1))
        self._model = keras.Sequential([keras.Input(X.shape[1:]), *layers])
        loss = "sparse_categorical_crossentropy" if self._run.classes else "mean_squared_error"
        self._model.compile("adam", loss)
        targets = y.astype(np.int32 if self._run.classes else np.float32)
        self._model.fit(X, targets, epochs=self.EPOCHS, verbose=0)

    def predict(self, X: Array) -> Array:
        outputs = np.asarray(self._model.predict(X.astype(np.float32), verbose=0))
        return outputs.argmax(axis=1) if self._run.classes else outputs[:, 0]


_OURS = ("fastmlp",)
SYSTEMS = {
    "fastmlp": System("fastmlp", fastmlp_default, _OURS, compiles=True),
    "fastmlp-linear": System("fastmlp, no hidden layer", fastmlp_linear, _OURS, compiles=True),
    "fastmlp-tabular": System("fastmlp, presets.tabular", fastmlp_tabular, _OURS, compiles=True),
    "fastmlp-tabular-8": System("fastmlp, 8 averaged", fastmlp_ensemble, _OURS, compiles=True),
    "linear": System("linear model", linear, ("sklearn",)),
    "sklearn-mlp": System("scikit-learn's MLP", sklearn_mlp, ("sklearn",)),
    "sklearn-mlp-scaled": System("scikit-learn's MLP, scaled", sklearn_mlp_scaled, ("sklearn",)),
    "sklearn-boosting": System("HistGradientBoosting", hist_gradient_boosting, ("sklearn",)),
    "lightgbm": System("LightGBM", lightgbm, ("lightgbm",)),
    "catboost": System("CatBoost", catboost, ("catboost",)),
    "chimeraboost": System("ChimeraBoost", chimeraboost, ("chimeraboost",), compiles=True),
    "realmlp-td-s": System("RealMLP-TD-S", realmlp, ("pytabkit", "torch")),
    "keras": System("Keras", Keras, ("keras", "jax"), {"KERAS_BACKEND": "jax"}),
}
