"""Outputs of a network: from targets to kernels, from kernels to predictions."""

from dataclasses import asdict, dataclass, field, fields, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from ..data import Array, Numbers, RawTargets, check_classes
from ..losses import LOSSES, Loss
from .targets import Targets, as_rows, squares


@dataclass(frozen=True, eq=False)
class Outputs:
    """Outputs of a network, and the targets that they predict.

    Parameters
    ----------
    loss : Loss
    count : int
        Number of outputs.
    classes : array, optional
        Labels of the outputs of a softmax, or of the two classes of a single output; None for
        weights that were given without.
    centre, spread : array of shape (count,)
        Of numbers: an output z means ``centre + spread * z``. Of counts: ``spread * exp(z)``.
    flat : bool
        Whether there is one target for each row, not columns.
    label_smoothing : float
        Part of a label that is spread evenly over all classes.
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
        plain = {item.name: getattr(self, item.name) for item in fields(self)}
        return plain | {"loss": {"name": self.loss.name, **asdict(self.loss)}}

    @classmethod
    def from_plain(cls, plain: dict[str, Any]) -> "Outputs":
        """The outputs that gave :meth:`plain`."""
        settings = dict(plain["loss"])
        loss = LOSSES[settings.pop("name")](**settings)
        attributes = {item.name: plain[item.name] for item in fields(cls)} | {"loss": loss}
        for name in ("centre", "spread"):
            attributes[name] = np.array(attributes[name], np.float64)
            np.broadcast_to(attributes[name], (attributes["count"],))
        outputs = cls(**attributes)
        if not (np.isfinite(outputs.centre).all() and (outputs.spread > 0).all()):
            raise ValueError(f"centre {outputs.centre} and spread {outputs.spread} of targets")
        if outputs.classes is None:
            return outputs
        count = 2 if outputs.kind == "pair" else outputs.count
        return replace(outputs, classes=check_classes(outputs.classes, count))

    @cached_property
    def kind(self) -> str:
        """Kind of the targets: "classes", "pair" (of classes), "labels", "numbers", "counts"."""
        is_pair = self.loss.targets == "labels" and self.count == 1 and self.flat
        return "pair" if is_pair else self.loss.targets

    @cached_property
    def metric(self) -> str:
        """The metric that is recorded beside the loss: accuracy, or R²."""
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
        return self.count // self.loss.count

    @property
    def averaged(self) -> int:
        """Over how many outputs the loss of a sample is averaged."""
        return self.count if self.kind in ("numbers", "counts") else 1

    def kernel(self, targets: Targets) -> str:
        """Name of the kernel of the loss on such targets."""
        if self.loss.targets != "classes":
            return self.loss.name
        if targets.values is not None:
            return f"{self.loss.name}_rows"
        return self.loss.name + "_weighted" * self.is_weighted(targets)

    def is_weighted(self, targets: Targets) -> bool:
        """Whether kernels need the weights of samples: all but the simplest."""
        simple = self.loss.targets == "classes" and targets.labels is not None
        return not simple or targets.weights is not None or self.label_smoothing > 0

    def continued(self, loss: Loss | None, label_smoothing: float) -> "Outputs":
        """Outputs from which another fit goes on, perhaps with another loss of the same outputs.

        Raises
        ------
        ValueError
            If the loss has other outputs.
        """
        if loss is not None and not loss.has_outputs_of(self.loss):
            raise ValueError(
                f"warm_start continues a network as it is; got loss={loss!r}, but the network was "
                f"trained with {self.loss!r}"
            )
        return replace(self, loss=loss or self.loss, label_smoothing=label_smoothing)

    def check_smoothing(self) -> None:
        """A ValueError where there are no labels to be smoothed."""
        if self.label_smoothing > 0 and self.loss.targets not in ("classes", "labels"):
            raise ValueError(
                f"label_smoothing has no effect with loss={self.loss.name!r}; "
                f"got {self.label_smoothing}"
            )

    def encode(self, targets: RawTargets, dtype: np.dtype[Any]) -> Targets:
        """Targets as kernels take them.

        Raises
        ------
        TypeError, ValueError
            For targets that the loss cannot take, or that differ in kind from those of the fit.
        """
        if self.kind == "classes" and (targets.is_flat or targets.is_one_hot):
            return Targets(targets.class_indices(self.labels), None, targets.weights)
        if self.kind == "classes":
            rows: Array = targets.probabilities(self.count)
        elif self.kind == "pair":
            rows = targets.class_indices(self.labels)[:, None]
        elif self.kind == "labels":
            rows = targets.labels(self.count)
        else:
            columns = targets.numbers(self._columns, counts=self.kind == "counts")
            rows = (columns - self.centre) / self.spread
        if self.loss.targets == "labels":  # as in Keras
            rows = rows * (1 - self.label_smoothing) + self.label_smoothing / 2
        values = as_rows(np.broadcast_to(rows, (len(rows), self.count)), dtype)
        return Targets(None, values, targets.weights)

    def run_fields(
        self, targets: Targets, order: npt.NDArray[np.int64], dtype: np.dtype[Any]
    ) -> tuple[dict[str, Array], dict[str, float]]:
        """Arrays and numbers that the loss reads, in an order, by the names of fields of a run."""
        arrays = targets.gathered(order, dtype, weighted=self.is_weighted(targets))
        stride = arrays["targets"].shape[1] if "targets" in arrays else 0
        arrays["outputs"] = self._table(targets).astype(dtype)
        return arrays, {"target_stride": stride, "smoothing": self.label_smoothing}

    def _table(self, targets: Targets) -> Numbers:
        """For each output: factor of its loss, parameter of the loss, factor of its score.

        The largest factor of a loss is 1, see :meth:`summed_up`.
        """
        table = np.ones((3, self.count))
        if self.kind in ("numbers", "counts"):
            table[0] = (self.spread / self.spread.max()) ** self.loss.degree
            table[1] = self.loss.parameters(np.broadcast_to(self.spread, (self.count,)))
            sums = squares(targets)
            table[2] = np.divide(1, sums * self.count, out=np.zeros(self.count), where=sums > 0)
        return table

    def summed_up(self, loss: float, score: float, targets: Targets) -> tuple[float, float]:
        """Mean loss and metric, from the sums of the kernels."""
        mean = loss / targets.total
        if self.metric == "accuracy":
            return mean, score / targets.total
        # Here and not in the kernels: the square of a unit may be 0 or infinite in float32.
        mean *= float(self.spread.max()) ** self.loss.degree / self.count
        if self.kind == "counts":  # of the counts themselves, not of scaled ones
            weights = targets.weights_of(np.arange(len(targets)))
            values = np.asarray(targets.values, np.float64)
            sums = np.einsum("ij,j->i", values, weights) * self.spread
            mean -= float((sums * np.log(self.spread)).sum()) / (targets.total * self.count)
        constant = int((squares(targets) == 0).sum())
        return mean, 1 - score - constant / self.count

    def predictions(self, outputs: Array) -> Array:
        """Predictions from activated outputs, shape (n, count)."""
        if self.metric == "accuracy":
            return self.labels_of(outputs)
        numbers = self.centre + self.spread * outputs.astype(np.float64)
        if self.loss.count > 1:
            return np.sort(numbers, axis=1)
        return numbers[:, 0] if self.flat else numbers

    def indices(self, targets: Targets) -> Array:
        """Targets as indices of classes, or as rows of 0 and 1."""
        if targets.labels is not None:
            return targets.labels
        values = np.asarray(targets.values)
        if self.kind == "classes":
            return np.asarray(values.argmax(axis=0))
        ones = (values > 0.5).astype(np.int64)
        return ones[0] if self.kind == "pair" else ones.T

    def truths(self, targets: Targets) -> Array:
        """Targets in the form of predictions."""
        if self.kind in ("classes", "pair"):
            return np.asarray(self.labels[self.indices(targets)])
        if self.kind == "labels":
            return self.indices(targets)
        numbers = self.centre + self.spread * np.asarray(targets.values, np.float64).T
        return numbers[:, 0] if self.flat and self.count == 1 else numbers

    def check_probabilities(self) -> None:
        """A ValueError where the loss has no probabilities."""
        if self.metric == "r2":
            raise ValueError(f"there are no probabilities with loss={self.loss.name!r}")

    def probabilities(self, outputs: Array) -> Array:
        """Probabilities of classes or labels from activated outputs."""
        if self.kind != "pair":
            return outputs
        return np.concatenate((1 - outputs, outputs), axis=1)

    def labels_of(self, probabilities: Array) -> Array:
        """The more probable labels; a pair of classes may have one column, or two."""
        if self.kind == "labels":
            return (probabilities > 0.5).astype(np.int64)
        if self.kind == "pair":
            return np.asarray(self.labels[(probabilities[:, -1] > 0.5).astype(np.intp)])
        return np.asarray(self.labels[probabilities.argmax(axis=1)])

    def decisions(self, logits: Array) -> Array:
        """Values of the decision function from the plain outputs."""
        if self.kind == "numbers":
            return self.predictions(logits)
        if self.kind == "counts":
            logits = logits + np.log(self.spread)
        return logits[:, 0] if self.count == 1 and self.flat else logits

    def in_units(self, weights: list[Array]) -> list[Array]:
        """Weights of the network -> of a network whose outputs are in the unit of the targets."""
        *rest, W, b = weights
        if self.kind == "numbers" and self._is_scaled:
            W, b = _cast((W * self.spread, b * self.spread + self.centre), b.dtype)
        elif self.kind == "counts":
            (b,) = _cast((b + np.log(self.spread),), b.dtype)
        return [*rest, W, b]

    def from_units(self, weights: list[Array]) -> list[Array]:
        """The reverse of :meth:`in_units`."""
        *rest, W, b = weights
        if self.kind == "numbers" and self._is_scaled:
            W, b = _cast((W / self.spread, (b - self.centre) / self.spread), b.dtype)
        elif self.kind == "counts":
            (b,) = _cast((b - np.log(self.spread),), b.dtype)
        return [*rest, W, b]

    @property
    def _is_scaled(self) -> bool:
        return bool(self.centre.any() or (self.spread != 1).any())


def _cast(arrays: tuple[Array, ...], dtype: np.dtype[Any]) -> list[Array]:
    return [array.astype(dtype) for array in arrays]
