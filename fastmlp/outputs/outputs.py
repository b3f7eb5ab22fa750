"""Outputs of a network: encoding of targets for kernels, decoding of outputs to predictions."""

import math
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from ..cached import cached_property
from ..data import Array, Numbers, RawTargets, check_classes, some
from ..losses import LOSSES, Loss
from ..settings.combinations import other_network
from .means import Means, Scores, mean_of
from .targets import Targets, as_rows
from .weights import Weights

_NO_MOMENTS = np.zeros(1), np.zeros(1)  # of classes

# From this multiple of the sum of an output's weights on, float32 rounds its bias by 6e-5 of it.
_FAR = 1000


@dataclass(frozen=True, eq=False)
class Outputs:
    """Outputs of a network, and the encoding of their targets.

    Parameters
    ----------
    loss : Loss
    count : int
        Number of outputs.
    classes : array, optional
        Labels of the outputs of a softmax, or of the two classes of a single output; None for
        weights given without.
    centre, spread : array of shape (count,)
        For numbers, an output z means ``centre + spread * z``; for counts, ``spread * exp(z)``.
    flat : bool
        Whether targets are 1-D, one for each row.
    label_smoothing : float
        Fraction of a label spread evenly over all classes.
    least_probability : float
        Cross-entropies are reported as if probabilities were clipped at this and at 1 minus this,
        as scikit-learn does; gradients are not.
    """

    loss: Loss
    count: int
    classes: Array | None = None
    centre: Numbers = field(default_factory=lambda: np.zeros(1))
    spread: Numbers = field(default_factory=lambda: np.ones(1))
    flat: bool = True
    label_smoothing: float = 0.0
    least_probability: float = 0.0

    def plain(self) -> dict[str, Any]:
        """The outputs as plain arrays and values."""
        plain = {item.name: getattr(self, item.name) for item in fields(self)}
        return plain | {"loss": {"name": self.loss.name, **asdict(self.loss)}}

    @classmethod
    def from_plain(cls, plain: dict[str, Any]) -> "Outputs":
        """The outputs restored from :meth:`plain`."""
        settings = dict(plain["loss"])
        loss = LOSSES[settings.pop("name")](**settings)
        attributes = {item.name: plain[item.name] for item in fields(cls)} | {"loss": loss}
        for name in ("centre", "spread"):
            attributes[name] = np.array(attributes[name], np.float64)
            np.broadcast_to(attributes[name], (attributes["count"],))
        outputs = cls(**attributes)
        moments = np.concatenate((outputs.centre, outputs.spread))
        if not (np.isfinite(moments).all() and (outputs.spread > 0).all()):
            raise ValueError(f"centre {outputs.centre} and spread {outputs.spread} of targets")
        columns, left = divmod(outputs.count, loss.count)
        if left or (loss.is_numeric and outputs.flat and columns != 1):
            raise ValueError(f"{outputs.count} outputs of {loss}")
        if not (0 <= outputs.label_smoothing < 1 and 0 <= outputs.least_probability < 0.5):
            raise ValueError(f"probabilities of {outputs}")
        if outputs.classes is None:
            return outputs
        count = 2 if outputs.kind == "pair" else outputs.count
        if outputs.classes.dtype.kind in "mM":  # of an estimator, as scikit-learn takes dates
            check_classes(outputs.classes.astype(np.int64), count)
            return outputs
        return replace(outputs, classes=check_classes(outputs.classes, count))

    @cached_property
    def kind(self) -> str:
        """Kind of the targets: "classes", "pair" (of classes), "labels", "numbers", "counts"."""
        is_pair = self.loss.targets == "labels" and self.count == 1 and self.flat
        return "pair" if is_pair else self.loss.targets

    def __str__(self) -> str:
        """What the targets are taken for, such as "3 classes"."""
        if self.kind in ("classes", "pair"):
            return f"{len(self.labels)} classes"
        columns = self.count // self.loss.count
        return self.kind if columns == 1 else f"{columns} columns of {self.kind}"

    @cached_property
    def metric(self) -> str:
        """The metric that is recorded beside the loss: accuracy, or R²."""
        return "r2" if self.loss.is_numeric else "accuracy"

    @property
    def labels(self) -> Array:
        """The classes; 0, 1, ... if they were never named."""
        if self.kind not in ("classes", "pair"):
            raise AttributeError(f"there are no classes with loss={self.loss.name!r}")
        count = 2 if self.kind == "pair" else self.count
        return np.arange(count) if self.classes is None else self.classes

    @property
    def averaged(self) -> int:
        """Number of outputs over which the loss of a sample is averaged."""
        return self.count if self.loss.is_numeric else 1

    def kernel(self, targets: Targets) -> str:
        """Name of the loss kernel for these targets."""
        if self.loss.targets != "classes":
            return self.loss.name
        if targets.values is not None:
            return f"{self.loss.name}_rows"
        return self.loss.name + "_weighted" * self.is_weighted(targets)

    def is_weighted(self, targets: Targets) -> bool:
        """Whether the loss kernel reads sample weights; not for plain losses of labels."""
        simple = self.loss.targets == "classes" and targets.labels is not None
        plain = self.label_smoothing == 0 and self.least_probability == 0
        return not (simple and plain) or targets.is_weighted

    def continued(self, loss: Loss | None, label_smoothing: float) -> "Outputs":
        """A copy for a fit that continues, perhaps with another loss on the same outputs.

        Raises
        ------
        ValueError
            If the loss needs other outputs.
        """
        if loss in (None, self.loss) and label_smoothing == self.label_smoothing:
            return self
        if loss is not None and not loss.has_outputs_of(self.loss):
            raise other_network(f"loss={loss!r}, but the network was trained with {self.loss!r}")
        return replace(self, loss=loss or self.loss, label_smoothing=label_smoothing)

    def check_smoothing(self) -> None:
        """Raise a ValueError if there are no labels to smooth."""
        if self.label_smoothing > 0 and self.loss.targets not in ("classes", "labels"):
            raise ValueError(
                f"label_smoothing has no effect with loss={self.loss.name!r}; "
                f"got {self.label_smoothing}"
            )

    def encode(self, targets: RawTargets, dtype: np.dtype[Any]) -> Targets:
        """Encode targets for the kernels.

        Raises
        ------
        TypeError, ValueError
            For targets that do not suit the loss, or differ in kind from those of the fit.
        """
        weights = None
        if targets.weights is not None:  # rounded as in the kernels, so that their sums agree
            rounded = targets.weights.astype(dtype).astype(np.float64)
            weights = Weights(rounded, targets.unit)
        if self.kind == "classes" and (targets.is_flat or targets.is_one_hot):
            return Targets(targets.class_indices(self.labels), None, weights)
        if self.kind == "classes":
            rows: Array = targets.probabilities(self.count)
        elif self.kind == "pair":
            rows = targets.class_indices(self.labels)[:, None]
        elif self.kind == "labels":
            rows = targets.labels(self.count)
        else:
            columns = targets.numbers(self.count // self.loss.count, counts=self.kind == "counts")
            rows = (columns - self.centre) / self.spread
            far = np.abs(rows).max(axis=1) > np.sqrt(np.finfo(dtype).max) / 10
            if far.any():  # their squares overflow
                row = int(far.argmax())
                got = some(columns[row])
                raise ValueError(f"{targets.name}[{row}] is too far from Y of the fit; got {got}")
        if self.loss.targets == "labels":  # as in Keras
            rows = rows * (1 - self.label_smoothing) + self.label_smoothing / 2
        values = as_rows(np.broadcast_to(rows, (len(rows), self.count)), dtype)
        return Targets(None, values, weights)

    def run_fields(
        self, targets: Targets, order: npt.NDArray[np.int64], dtype: np.dtype[Any]
    ) -> tuple[dict[str, Array], dict[str, float]]:
        """Arrays and numbers that the loss kernel reads, rows in ``order``, by fields of a run."""
        arrays = targets.gathered(order, dtype, weighted=self.is_weighted(targets))
        stride = arrays["targets"].shape[1] if "targets" in arrays else 0
        arrays["parameters"] = self._parameters.astype(dtype)
        least = self.least_probability
        largest = -math.log(least) if least else math.inf
        return arrays, {
            "target_stride": stride, "smoothing": self.label_smoothing,
            "least_loss": -math.log1p(-least), "largest_loss": largest,
        }  # fmt: skip

    @cached_property
    def _parameters(self) -> Numbers:
        return self.loss.parameters(np.broadcast_to(self.spread, (self.count,)))

    def means(self, sums: Numbers, targets: Targets) -> Means:
        """Means over rows, from the sums of the kernels: of losses and scores, (averaged, 2)."""
        (of_loss, loss_unit), (of_scores, score_unit) = targets.totals
        losses, scores = mean_of(sums[:, 0], of_loss), mean_of(sums[:, 1], of_scores)
        moments = targets.moments if self.metric == "r2" else _NO_MOMENTS
        return Means(losses, scores, *moments, of_loss * loss_unit, of_scores * score_unit)

    def summed_up(self, means: Means) -> Scores:
        """Loss and metric from means over rows."""
        if self.metric == "accuracy":
            loss = float(means.losses[0])
            return Scores(loss, float(means.scores[0]), loss)
        losses = means.losses * self.spread**self.loss.degree
        if self.kind == "counts":  # the loss of the counts, not of the scaled ones
            losses = losses - means.targets * self.spread * np.log(self.spread)
        # The means of parts of a constant column differ by rounding errors.
        varies = means.variances > (4 * np.finfo(np.float64).eps * means.targets) ** 2
        unexplained = np.ones(self.count)
        np.divide(means.scores, means.variances, out=unexplained, where=varies)
        return Scores(
            float(losses.mean()), float(1 - unexplained.mean()), float(means.losses.mean())
        )

    def predictions(self, outputs: Array) -> Array:
        """Decode activated outputs, shape (n, count), to labels or numbers."""
        if self.metric == "accuracy":
            return self.labels_of(outputs)
        numbers = self.centre + self.spread * outputs.astype(np.float64)
        if self.loss.count > 1:
            return np.sort(numbers, axis=1)
        return numbers[:, 0] if self.flat else numbers

    def indices(self, targets: Targets) -> Array:
        """Decode targets to indices of classes, or rows of 0 and 1."""
        if targets.labels is not None:
            return targets.labels
        values = np.asarray(targets.values)
        if self.kind == "classes":
            return np.asarray(values.argmax(axis=0))
        ones = (values > 0.5).astype(np.int64)
        return ones[0] if self.kind == "pair" else ones.T

    def truths(self, targets: Targets) -> Array:
        """Decode targets to the form of predictions."""
        if self.kind in ("classes", "pair"):
            return np.asarray(self.labels[self.indices(targets)])
        if self.kind == "labels":
            return self.indices(targets)
        numbers = self.centre + self.spread * np.asarray(targets.values, np.float64).T
        return numbers[:, 0] if self.flat and self.count == 1 else numbers

    def probabilities(self, outputs: Array) -> Array:
        """Decode activated outputs to probabilities of classes or labels."""
        if self.kind != "pair":
            return outputs
        return np.concatenate((1 - outputs, outputs), axis=1)

    def labels_of(self, probabilities: Array) -> Array:
        """The most probable labels; probabilities of two classes may have one or two columns."""
        if self.kind == "labels":
            return (probabilities > 0.5).astype(np.int64)
        if self.kind == "pair":
            return np.asarray(self.labels[(probabilities[:, -1] > 0.5).astype(np.intp)])
        return np.asarray(self.labels[probabilities.argmax(axis=1)])

    def decisions(self, logits: Array) -> Array:
        """Values of the decision function, computed from the logits."""
        if self.kind == "numbers":
            return self.predictions(logits)
        if self.kind == "counts":
            logits = logits + np.log(self.spread)
        if self.kind == "classes" and self.count == 2:
            return logits[:, 1] - logits[:, 0]
        return logits[:, 0] if self.count == 1 and self.flat else logits

    def in_units(self, weights: list[Array]) -> list[Array]:
        """Convert the network's weights to those with outputs in the unit of the targets.

        The last W and b are float64 where targets are scaled: float32 would round a mean of 1.7e9
        by 64.
        """
        *rest, W, b = weights
        if self.kind == "numbers" and self._is_scaled:
            W, b = W * self.spread, b * self.spread + self.centre
        elif self.kind == "counts" and self._is_scaled:
            b = b + np.log(self.spread)
        return [*rest, W, b]

    def unscaled(self) -> "Outputs":
        """A copy whose network has outputs in the unit of the targets, see :meth:`in_units`."""
        return replace(self, centre=np.zeros(self.count), spread=np.ones(self.count))

    def from_units(self, weights: list[Array]) -> list[Array]:
        """Convert weights with outputs in the unit of the targets to those of the network."""
        *rest, W, b = weights
        if self.kind == "numbers" and self._is_scaled:
            W, b = W / self.spread, (b - self.centre) / self.spread
        elif self.kind == "counts" and self._is_scaled:
            b = b - np.log(self.spread)
        return [*rest, W, b]

    def centred_for(self, weights: list[Array]) -> "Outputs":
        """A copy for given weights: centred at last biases that float32 might round too much."""
        *_, W, b = weights
        far = np.abs(b) > _FAR * np.abs(W).sum(axis=0)
        return replace(self, centre=np.where(far, b, 0.0)) if self.kind == "numbers" else self

    @property
    def _is_scaled(self) -> bool:
        return bool(self.centre.any() or (self.spread != 1).any())
