"""What the outputs of a network stand for: targets as kernels take them, predictions as users do.

Numbers are centred and scaled on the way in, each column by its mean and standard deviation over
the training rows, counts by their mean; predictions and losses are in the unit of the targets.
"""

from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from .losses import LOSSES, Loss, Quantile, SoftmaxCrossEntropy
from .validation import (
    check_classes,
    check_labels,
    check_numbers,
    check_shares,
    encode_labels,
    guess_loss,
    is_one_hot,
)

Array = npt.NDArray[Any]
Numbers = npt.NDArray[np.float64]

# More than a vector: kernels load whole ones, also past the last row.
_PADDING = 64


@dataclass(frozen=True)
class Targets:
    """What the outputs should be, row by row of X.

    Parameters
    ----------
    labels : int32 array of shape (n,), optional
        Indices of classes.
    values : array of shape (outputs, n), optional
        In the network's dtype; either these or labels.
    weights : float64 array of shape (n,), optional
        Of the samples; by default 1 each.
    """

    labels: npt.NDArray[np.int32] | None = None
    values: npt.NDArray[np.floating] | None = None
    weights: Numbers | None = None

    def __len__(self) -> int:
        return len(self.labels) if self.values is None else self.values.shape[1]  # type: ignore

    @property
    def total(self) -> float:
        """Sum of the weights."""
        return float(len(self) if self.weights is None else self.weights.sum())

    def part(self, rows: slice) -> "Targets":
        """Those of some rows."""
        labels = None if self.labels is None else self.labels[rows]
        values = None if self.values is None else self.values[:, rows]
        return Targets(labels, values, None if self.weights is None else self.weights[rows])

    def weights_of(self, order: npt.NDArray[np.int64]) -> Numbers:
        """Weights of the rows ``order``."""
        return np.ones(len(order)) if self.weights is None else self.weights[order]

    def taken(
        self, order: npt.NDArray[np.int64], dtype: np.dtype[Any], *, weighted: bool
    ) -> dict[str, Array]:
        """The rows ``order``, as fields of a run name them, with weights where they count."""
        arrays: dict[str, Array] = {}
        if self.values is None:
            arrays["labels"] = self.labels[order]  # type: ignore[index]
        else:
            arrays["targets"] = np.zeros((len(self.values), len(order) + _PADDING), dtype)
            arrays["targets"][:, : len(order)] = self.values[:, order]
        if weighted:
            arrays["weights"] = np.zeros(len(order) + _PADDING, dtype)
            arrays["weights"][: len(order)] = self.weights_of(order)
        return arrays


@dataclass(frozen=True, eq=False)
class Outputs:
    """What the outputs of a network stand for.

    Parameters
    ----------
    loss : Loss
    count : int
        Outputs.
    classes : array, optional
        What the outputs of a softmax are called, or 0 and 1 of a single label; None for weights that
        were given without.
    centre, spread : array of shape (count,)
        Of numbers: an output z means ``centre + spread * z``. Of counts: ``spread * exp(z)``.
    flat : bool
        Whether targets were one for each row, not columns.
    label_smoothing : float
        Share of a label that is spread evenly over all classes.
    """

    loss: Loss
    count: int
    classes: Array | None = None
    centre: Numbers = field(default_factory=lambda: np.zeros(1))
    spread: Numbers = field(default_factory=lambda: np.ones(1))
    flat: bool = True
    label_smoothing: float = 0.0

    def plain(self) -> dict[str, Any]:
        """Plain arrays and values."""
        return {**vars(self), "loss": {"name": self.loss.name, **asdict(self.loss)}}

    @classmethod
    def from_plain(cls, plain: dict[str, Any]) -> "Outputs":
        """The outputs that gave :meth:`plain`."""
        settings = dict(plain["loss"])
        loss = LOSSES[settings.pop("name")](**settings)
        outputs = cls(**plain | {"loss": loss})
        for name in ("centre", "spread"):
            np.broadcast_to(getattr(outputs, name), (outputs.count,))
        if outputs.classes is None:
            return outputs
        return replace(outputs, classes=check_classes(outputs.classes, len(outputs.labels)))

    @property
    def kind(self) -> str:
        """What the targets are: "classes", "pair" (of classes), "labels", "numbers", "counts"."""
        is_pair = self.loss.targets == "labels" and self.count == 1 and self.flat
        return "pair" if is_pair else self.loss.targets

    @property
    def metric(self) -> str:
        """What is recorded beside the loss: accuracy, or R²."""
        return "r2" if self.kind in ("numbers", "counts") else "accuracy"

    @property
    def labels(self) -> Array:
        """The classes, 0, 1, ... where they were never named."""
        if self.kind not in ("classes", "pair"):
            raise AttributeError(f"there are no classes with loss={self.loss.name!r}")
        count = 2 if self.kind == "pair" else self.count
        return np.arange(count) if self.classes is None else self.classes

    @property
    def _columns(self) -> int:
        return self.count // (self.loss.count if isinstance(self.loss, Quantile) else 1)

    @property
    def averaged(self) -> int:
        """How many outputs the loss of a sample is the mean of."""
        return self.count if self.kind in ("numbers", "counts") else 1

    def kernel(self, targets: Targets, *, weighted: bool) -> str:
        """Name of the kernel of the loss on such targets."""
        if self.loss.targets != "classes":
            return self.loss.name
        if targets.values is not None:
            return f"{self.loss.name}_rows"
        return self.loss.name + "_weighted" * weighted

    def is_weighted(self, targets: Targets) -> bool:
        """Whether kernels need the weights of samples: all but the simplest."""
        simple = self.loss.targets == "classes" and targets.labels is not None
        return not simple or targets.weights is not None or self.label_smoothing > 0

    def encoded(
        self, Y: Array, weights: Numbers | None, dtype: np.dtype[Any], name: str = "Y"
    ) -> Targets:
        """Targets as kernels take them, from what ``read_targets`` has read.

        Raises
        ------
        TypeError, ValueError
            For what the loss cannot take, or was not trained on.
        """
        if self.kind == "classes":
            if Y.ndim == 2 and not is_one_hot(Y).all():
                return Targets(None, _as_rows(check_shares(Y, self.count, name), dtype), weights)
            return Targets(encode_labels(Y, classes=self.labels, name=name)[0], None, weights)
        if self.kind == "pair":
            rows = encode_labels(Y, classes=self.labels, name=name)[0][:, None]
        elif self.kind == "labels":
            rows = check_labels(Y, self.count, name)
        else:
            columns = check_numbers(Y, self._columns, name, counts=self.kind == "counts")
            rows = (columns - self.centre) / self.spread
        if self.loss.targets == "labels":  # as in Keras
            rows = rows * (1 - self.label_smoothing) + self.label_smoothing / 2
        return Targets(
            None, _as_rows(np.broadcast_to(rows, (len(rows), self.count)), dtype), weights
        )

    def table(self, targets: Targets) -> Numbers:
        """For each output: factor of its loss, parameter of the loss, factor of its score."""
        table = np.ones((3, self.count))
        if self.kind in ("numbers", "counts"):
            table[0] = self.spread**self.loss.degree / self.count
            table[1] = self.loss.parameters(np.broadcast_to(self.spread, (self.count,)))
            squares = _squares(targets)
            table[2] = np.divide(
                1, squares * self.count, out=np.zeros(self.count), where=squares > 0
            )
        return table

    def summed_up(self, loss: float, score: float, targets: Targets) -> tuple[float, float]:
        """Mean loss and metric, from the sums of the kernels."""
        mean = loss / targets.total
        if self.metric == "accuracy":
            return mean, score / targets.total
        if self.kind == "counts":  # of the counts themselves, not of their scaled ones
            weights = targets.weights_of(np.arange(len(targets)))
            sums = targets.values.astype(np.float64) @ weights * self.spread  # type: ignore
            mean -= float((sums * np.log(self.spread)).sum()) / (targets.total * self.count)
        constant = int((_squares(targets) == 0).sum())
        return mean, 1 - score - constant / self.count

    def predictions(self, outputs: Array) -> Array:
        """What ``predict`` gives, from what the loss makes of the outputs (shape (n, count))."""
        if self.kind == "classes":
            return np.asarray(self.labels[outputs.argmax(axis=1)])
        if self.kind == "pair":
            return np.asarray(self.labels[(outputs[:, 0] > 0.5).astype(np.intp)])
        if self.kind == "labels":
            return (outputs > 0.5).astype(np.int64)
        numbers = self.centre + self.spread * outputs.astype(np.float64)
        if isinstance(self.loss, Quantile) and self.loss.count > 1:
            return np.sort(numbers, axis=1)
        return numbers[:, 0] if self.flat else numbers

    def check_probabilities(self) -> None:
        """A ValueError where there are none."""
        if self.metric == "r2":
            raise ValueError(f"there are no probabilities with loss={self.loss.name!r}")

    def probabilities(self, outputs: Array) -> Array:
        """What ``predict_proba`` gives."""
        return np.hstack([1 - outputs, outputs]) if self.kind == "pair" else outputs

    def decisions(self, logits: Array) -> Array:
        """What ``decision_function`` gives, from the outputs as they are."""
        if self.kind == "numbers":
            return self.predictions(logits)
        if self.kind == "counts":
            logits = logits + np.log(self.spread)
        return logits[:, 0] if self.count == 1 and self.flat else logits

    def in_units(self, weights: list[Array]) -> list[Array]:
        """The network's weights as those of one whose outputs are in the unit of the targets."""
        return self._changed(weights, lambda W, b: (W * self.spread, b * self.spread + self.centre),
                             lambda b: b + np.log(self.spread))  # fmt: skip

    def from_units(self, weights: list[Array]) -> list[Array]:
        """The reverse of :meth:`in_units`."""
        return self._changed(weights, lambda W, b: (W / self.spread, (b - self.centre) / self.spread),
                             lambda b: b - np.log(self.spread))  # fmt: skip

    def _changed(self, weights: list[Array], numbers: Any, counts: Any) -> list[Array]:
        *rest, W, b = weights
        if self.kind == "numbers" and (self.centre.any() or (self.spread != 1).any()):
            W, b = (array.astype(w.dtype) for array, w in zip(numbers(W, b), (W, b), strict=True))
        elif self.kind == "counts":
            b = counts(b).astype(b.dtype)
        return [*rest, W, b]


def _as_rows(columns: Array, dtype: np.dtype[Any]) -> npt.NDArray[np.floating]:
    return np.ascontiguousarray(columns.T, dtype)


def _squares(targets: Targets) -> Numbers:
    """Weighted sums of squares about the mean, of each output's targets."""
    values = np.asarray(targets.values, np.float64)
    weights = targets.weights_of(np.arange(len(targets)))
    means = values @ weights / targets.total
    squares: Numbers = (values - means[:, None]) ** 2 @ weights
    # What is left of a constant by rounding is nothing.
    squares[squares <= (np.finfo(np.float32).eps * means) ** 2 * targets.total] = 0
    return squares


def given_outputs(loss: Loss | None, count: int) -> Outputs:
    """What the outputs of given weights stand for, as far as one can tell.

    Raises
    ------
    ValueError
        If a loss has to be named: one output may be a number or a class, or if the loss has
        another number of outputs.
    """
    if loss is None:
        if count == 1:
            raise ValueError("loss must be named for weights with one output; got 'auto'")
        loss = SoftmaxCrossEntropy()
    if count == 1 and loss.targets == "classes":
        raise ValueError(f"loss={loss.name!r} needs an output for each class; got weights with 1")
    many = loss.count if isinstance(loss, Quantile) else 1
    if many > 1 and count != many:
        raise ValueError(f"{loss!r} needs {many} outputs; got weights with {count}")
    flat = loss.targets == "classes" or count == many
    return Outputs(loss, count, centre=np.zeros(count), spread=np.ones(count), flat=flat)


def learn_outputs(
    Y: Array, weights: Numbers | None, loss: Loss | None, label_smoothing: float, n_train: int
) -> Outputs:
    """What targets stand for, as ``read_targets`` has read them.

    Parameters
    ----------
    loss : Loss, optional
        By default what ``guess_loss`` says.
    n_train : int
        Of so many first rows centre and spread are learned, of all rows the classes.

    Raises
    ------
    TypeError, ValueError
        For what the loss cannot take.
    """
    loss = loss or LOSSES[guess_loss(Y)]()
    flat = Y.ndim == 1
    outputs = Outputs(loss, 1, flat=flat, label_smoothing=label_smoothing)
    if loss.targets == "classes":
        if flat or is_one_hot(Y).all():
            classes = encode_labels(Y)[1]
        else:
            classes = np.arange(check_shares(Y, None).shape[1])
        return replace(outputs, count=len(classes), classes=classes)
    if loss.targets == "labels":
        if not flat:
            return replace(outputs, count=check_labels(Y, None).shape[1])
        classes = encode_labels(Y)[1]
        if len(classes) != 2:
            wanted = "2 classes, or a column of 0 and 1 for each label"
            raise ValueError(
                f"loss='binary_cross_entropy' needs {wanted}; got {len(classes)} classes"
            )
        return replace(outputs, classes=classes)
    columns = check_numbers(Y, None, counts=loss.targets == "counts")[:n_train]
    count = columns.shape[1]
    if isinstance(loss, Quantile) and loss.count > 1:
        if count > 1:
            raise ValueError(f"several quantiles need one column of targets; got {count}")
        count = loss.count
    means = np.average(columns, axis=0, weights=None if weights is None else weights[:n_train])
    if loss.targets == "counts":
        return replace(outputs, count=count, spread=np.where(means > 0, means, 1.0))
    squares = (columns - means) ** 2
    spread = np.sqrt(
        np.average(squares, axis=0, weights=None if weights is None else weights[:n_train])
    )
    spread = np.where(spread > np.finfo(np.float64).eps * np.abs(means), spread, 1.0)
    return replace(outputs, count=count, centre=means, spread=spread)
