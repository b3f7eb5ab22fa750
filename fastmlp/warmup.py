"""Compile kernels before the first fit or prediction."""

import threading
from collections.abc import Callable, Iterator
from typing import Any, Literal, overload

import numpy as np
import numpy.typing as npt

from .checks import COUNT
from .inputs import MOST_DENSE
from .kernels.language.backend import from_dtype
from .kernels.language.jit import provide_all
from .kernels.runs.plan import MAX_CHUNK
from .kernels.runs.threads import threading_layer, usable_threads
from .losses import Loss, SoftmaxCrossEntropy
from .settings import SETTINGS, check_setting, choices, resolved
from .trainer import Trainer

_Array = npt.NDArray[Any]
_SOME_ROWS = 1_000

# Settings that do not affect which kernels are compiled, and may not suit the random rows here.
_LEFT_OUT: dict[str, Any] = {
    "callbacks": (), "class_weight": None, "early_stopping": False, "epochs": 1, "metrics": "auto",
    "refit": False, "schedule": None, "seed": 0, "time_budget": None, "validation_fraction": 0.0,
    "validation_split": "auto", "verbose": 0,
}  # fmt: skip


class _Csr:
    """Rows in the form of SciPy's CSR, which may not be installed."""

    format, has_canonical_format = "csr", True

    def __init__(self, arrays: tuple[_Array, _Array, _Array], shape: tuple[int, int]) -> None:
        (self.data, self.indices, self.indptr), self.shape = arrays, shape
        self.dtype = self.data.dtype

    @classmethod
    def of(cls, rows: _Array) -> "_Csr":
        """The values above 1 of dense rows."""
        chosen = rows > 1
        ends = np.concatenate([[0], np.cumsum(chosen.sum(axis=1))])
        return cls((rows[chosen], np.nonzero(chosen)[1], ends), rows.shape)

    def __getitem__(self, rows: slice) -> "_Csr":
        """The first rows."""
        ends = self.indptr[: rows.stop + 1]
        return _Csr((self.data, self.indices, ends), (len(ends) - 1, self.shape[1]))

    def tocsr(self) -> "_Csr":
        """The rows."""
        return self


class Warmup(threading.Thread):
    """A warmup that goes on in a thread of its own; a forked child goes on without it."""

    def __init__(self, work: Callable[[], None]) -> None:
        super().__init__(name="fastmlp.warmup", daemon=True)
        self._work = work
        self._error: BaseException | None = None

    def run(self) -> None:
        """Do the work."""
        try:
            self._work()
        except BaseException as error:
            self._error = error

    def join(self, timeout: float | None = None) -> None:
        """Wait for the end, at most ``timeout`` seconds; raise the exception of the warmup."""
        super().join(timeout)
        if self._error is not None:
            raise self._error


@overload
def warmup(
    trainer: Trainer | None = None, *, n_features: int = 100, n_classes: int = 10,
    any_data: bool = False, background: Literal[False] = False,
) -> None: ...  # fmt: skip
@overload
def warmup(
    trainer: Trainer | None = None, *, n_features: int = 100, n_classes: int = 10,
    any_data: bool = False, background: bool,
) -> Warmup | None: ...  # fmt: skip
def warmup(
    trainer: Trainer | None = None, *, n_features: int = 100, n_classes: int = 10,
    any_data: bool = False, background: bool = False,
) -> Warmup | None:  # fmt: skip
    """Compile the kernels of a trainer, or load them from disk; the trainer stays unchanged.

    Otherwise the first fit and the first predictions do that; call it when a server or a worker
    starts. ``fastmlp warmup`` compiles all kernels, for the image of a container.

    Parameters
    ----------
    trainer : Trainer, optional
        Kernels of a fit and of predictions are compiled; if it has weights, those of a fit only
        with ``warm_start``. By default ``Trainer()``.
    n_features, n_classes : int
        Sizes of the data, for a trainer without weights; the loss "auto" is that for classes.
    any_data : bool
        Also compile what only some data need (rows of uint8, rows of many zeros, sample weights,
        class probabilities as targets), and ``evaluate``.
    background : bool
        Compile in a thread, while the program loads its data. Fits and predictions may begin
        meanwhile: they wait for the kernels that they need.

    Returns
    -------
    Warmup, optional
        With ``background`` the thread, whose ``join()`` raises its exception, if there was one. The
        process may end before it does.

    Raises
    ------
    TypeError, ValueError
        If ``trainer`` is no Trainer, its settings contradict each other, or a size is too small.
    """
    if trainer is None:
        trainer = Trainer()
    if not isinstance(trainer, Trainer):
        raise TypeError(f"trainer must be a Trainer; got {type(trainer).__name__}")
    for name, size in (("n_features", n_features), ("n_classes", n_classes)):
        COUNT["check"](name, size)
    settings: dict[str, Any] = {name: getattr(trainer, name) for name in SETTINGS} | _LEFT_OUT
    settings["loss"] = check_setting("loss", trainer.loss) or SoftmaxCrossEntropy()
    if trainer.threads is None:  # few rows would take one thread, many rows all of them
        settings["threads"] = usable_threads(None)
    has_weights = hasattr(trainer, "layer_sizes_")
    if settings["loss"].targets == "labels" and n_classes == 2:
        n_classes = 1  # one output for two classes
    weights: tuple[list[Any], Any] | None = None
    are_sparse = has_weights and trainer.model_.encoding.inputs.columns.are_sparse
    if has_weights:
        n_features = trainer.model_.encoding.inputs.columns.n_inputs
        n_classes = trainer.layer_sizes_[-1]
        weights = trainer.get_weights(), trainer.scaling_
        settings["dtype"] = weights[0][0].dtype  # the setting may have changed
        settings["loss"] = trainer.model_.encoding.outputs.loss
        if are_sparse:  # their kernels are the same for any number of columns
            n_features = min(n_features, MOST_DENSE)
            weights = [weights[0][0][:n_features], *weights[0][1:]], None
            settings |= {"scaling": None, "missing": "error"}
    fits, validates = trainer.warm_start or not has_weights, _validates(trainer)
    # Automatic scaling treats features of unit size and others differently.
    either = not has_weights and isinstance(trainer.scaling, str) and trainer.scaling == "auto"
    # Larger batches use the same kernels; fewer rows than 256 get no bins.
    batch = 0 if isinstance(trainer.batch_size, str) else trainer.batch_size
    n_rows = max(min(batch, 2 * MAX_CHUNK), 2 * n_classes, 300)

    def work() -> None:
        probes = _probes(settings, n_rows, n_features, n_classes, either=either, any_data=any_data)
        for rows, Y, sample_weight in probes:
            X: Any = _Csr.of(rows) if are_sparse else rows
            probe = Trainer(**settings)
            if weights is not None:
                probe.set_weights(weights[0], scaling=weights[1])
            if fits:
                validation = (X, Y) if validates else None
                probe.fit(X, Y, sample_weight=sample_weight, validation_data=validation)
            probe.predict(X)
            probe.predict(X[:1])
            if any_data:
                probe.evaluate(X, Y, sample_weight)

    if background:
        thread = Warmup(work)
        thread.start()
        return thread
    work()
    return None


def warm_up_all(dtypes: tuple[str, ...]) -> None:
    """Compile all kernels for these dtypes, or load them from disk."""
    threading_layer()  # the linker needs its functions
    provide_all([from_dtype(np.dtype(dtype)) for dtype in dtypes])


def _probes(
    settings: dict[str, Any], n_rows: int, n_features: int, n_outputs: int, *, either: bool,
    any_data: bool,
) -> Iterator[tuple[_Array, _Array, _Array | None]]:  # fmt: skip
    """Rows, targets and weights of fits that need the kernels."""
    loss, dtype = settings["loss"], check_setting("dtype", settings["dtype"])
    rows = np.random.default_rng(0).standard_normal((n_rows, n_features), np.float32)
    Y = _targets(loss, n_rows, n_outputs)
    for unit in (1, 100) if either else (1,):
        yield rows.astype(dtype) * unit, Y, None
    if any_data:
        pixels, weights = (rows > 1).astype(np.uint8), np.linspace(1, 2, n_rows)
        yield pixels, Y, weights
        yield pixels.astype(dtype), Y, None
        if loss.targets == "classes":
            count = max(n_outputs, 2)
            yield rows.astype(dtype), (np.eye(count)[Y] + 1) / (count + 1), None


def _validates(trainer: Trainer) -> bool:
    """Whether a fit will hold out rows for validation."""
    return resolved(choices(trainer), _SOME_ROWS, validated=False).validation_fraction > 0


def _targets(loss: Loss, n_rows: int, n_outputs: int) -> _Array:
    """Targets that the loss accepts."""
    labels = np.arange(n_rows) % max(n_outputs, 2)
    if loss.targets == "classes" or (loss.targets == "labels" and n_outputs == 1):
        return labels
    if loss.targets == "labels":
        return (labels[:, None] >= np.arange(n_outputs)).astype(np.int64)
    if loss.count > 1 or n_outputs == 1:
        return labels + 0.5
    return np.stack([labels + 0.5] * n_outputs, axis=1)
