"""Optimizers, with their settings; the state belongs to each fit.

Where sources differ, scikit-learn has priority, then Keras, then the paper; each docstring says
which. To add one: its rule in ``kernels.plugins.update_rules``, a class here with the source of its
formula, and a line in ``OPTIMIZERS``.

The default of ``learning_rate`` is ``default_rate``; ``Trainer(learning_rate=...)`` is short for
it. Weight decay is decoupled (Loshchilov and Hutter 2019, "Decoupled weight decay regularization"):
each update subtracts ``learning_rate * weight_decay`` times the weights and biases, as in Keras and
PyTorch. g is the gradient, t the number of the update, from 1.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import ClassVar

from .checks import FLAG, FRACTION, NOT_NEGATIVE, RATE, Checked, optional

# Names of settings -> their names in the update rules.
_NUMBERS = {
    "momentum": "momentum", "beta1": "beta1", "beta2": "beta2", "rho": "beta2",
    "epsilon": "epsilon",
}  # fmt: skip


@dataclass(frozen=True)
class Optimizer(Checked):
    """Base of the optimizers.

    Parameters
    ----------
    learning_rate : float, optional
        Default ``default_rate``.
    """

    learning_rate: float | None = field(default=None, metadata=optional(RATE))

    default_rate: ClassVar[float]

    @property
    def rate(self) -> float:
        """The learning rate, or the default."""
        return self.default_rate if self.learning_rate is None else self.learning_rate

    @property
    def rule(self) -> str:
        """Name of the update rule."""
        return next(name for name, kind in OPTIMIZERS.items() if type(self) is kind)

    @property
    def numbers(self) -> Mapping[str, float]:
        """Settings of the update rule, by its names for them."""
        mine = (item.name for item in fields(self) if item.name in _NUMBERS)
        return {_NUMBERS[name]: getattr(self, name) for name in mine}

    @property
    def decay(self) -> float:
        """Weight decay; 0 if the optimizer has none."""
        return float(getattr(self, "weight_decay", 0.0))


@dataclass(frozen=True)
class SGD(Optimizer):
    """Stochastic gradient descent: v = momentum * v - rate * g; w += v.

    With ``nesterov`` w += momentum * v - rate * g, with the new v (Sutskever et al. 2013, in the
    form of Keras and scikit-learn).

    Parameters
    ----------
    learning_rate : float, optional
        Default 0.1, which needs features of about unit size.
    momentum : float, default 0.0
    nesterov : bool, default False
        Needs momentum.
    weight_decay : float, default 0.0
    """

    momentum: float = field(default=0.0, metadata=FRACTION)
    nesterov: bool = field(default=False, metadata=FLAG)
    weight_decay: float = field(default=0.0, metadata=NOT_NEGATIVE)

    default_rate: ClassVar[float] = 0.1

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.nesterov and self.momentum == 0:
            raise ValueError("nesterov of SGD needs momentum > 0; got momentum=0.0")

    @property
    def rule(self) -> str:
        """Name of the update rule, which depends on ``momentum`` and ``nesterov``."""
        if self.momentum == 0:
            return "sgd"
        return "nesterov" if self.nesterov else "momentum"


@dataclass(frozen=True)
class Adam(Optimizer):
    """w -= rate * c * m / (sqrt(v) + epsilon), m and v running means of g and of its square.

    m = beta1 * m + (1 - beta1) * g, v = beta2 * v + (1 - beta2) * g^2, and c = sqrt(1 - beta2^t) /
    (1 - beta1^t) corrects for their start at zero: Kingma and Ba 2015, section 2, in the order of
    operations of scikit-learn and Keras. Defaults as in the paper and in scikit-learn.

    Parameters
    ----------
    learning_rate : float, optional
        Default 0.001.
    beta1, beta2 : float, default 0.9 and 0.999
    epsilon : float, default 1e-8
        Outside the root.
    """

    beta1: float = field(default=0.9, metadata=FRACTION)
    beta2: float = field(default=0.999, metadata=FRACTION)
    epsilon: float = field(default=1e-8, metadata=RATE)

    default_rate: ClassVar[float] = 0.001


@dataclass(frozen=True)
class AdamW(Adam):
    """Adam with decoupled weight decay (Loshchilov and Hutter 2019).

    Parameters
    ----------
    learning_rate : float, optional
        Default 0.001.
    beta1, beta2 : float, default 0.9 and 0.999
    epsilon : float, default 1e-8
    weight_decay : float, default 0.004
        As in Keras.
    """

    weight_decay: float = field(default=0.004, metadata=NOT_NEGATIVE)

    @property
    def rule(self) -> str:
        """The update rule of Adam."""
        return "adam"


@dataclass(frozen=True)
class AMSGrad(Adam):
    """Adam with the largest v so far under the root (Reddi et al. 2018).

    As in Keras, the maximum is over v before the correction, which is that of Adam.

    Parameters
    ----------
    learning_rate : float, optional
        Default 0.001.
    beta1, beta2 : float, default 0.9 and 0.999
    epsilon : float, default 1e-8
    weight_decay : float, default 0.0
    """

    weight_decay: float = field(default=0.0, metadata=NOT_NEGATIVE)


@dataclass(frozen=True)
class RMSprop(Optimizer):
    """v = rho * v + (1 - rho) * g^2; w -= rate * g / sqrt(v + epsilon).

    Tieleman and Hinton 2012 (Coursera, lecture 6.5), with the epsilon and the defaults of Keras.

    Parameters
    ----------
    learning_rate : float, optional
        Default 0.001.
    rho : float, default 0.9
    epsilon : float, default 1e-7
        Inside the root.
    weight_decay : float, default 0.0
    """

    rho: float = field(default=0.9, metadata=FRACTION)
    epsilon: float = field(default=1e-7, metadata=RATE)
    weight_decay: float = field(default=0.0, metadata=NOT_NEGATIVE)

    default_rate: ClassVar[float] = 0.001


@dataclass(frozen=True)
class Adagrad(Optimizer):
    """a += g^2, from 0.1 on; w -= rate * g / sqrt(a + epsilon).

    Duchi, Hazan and Singer 2011, with the start, the epsilon and the defaults of Keras.

    Parameters
    ----------
    learning_rate : float, optional
        Default 0.001; larger ones, up to 1, are usual.
    epsilon : float, default 1e-7
        Inside the root.
    weight_decay : float, default 0.0
    """

    epsilon: float = field(default=1e-7, metadata=RATE)
    weight_decay: float = field(default=0.0, metadata=NOT_NEGATIVE)

    default_rate: ClassVar[float] = 0.001


@dataclass(frozen=True)
class Lion(Optimizer):
    """w -= rate * sign(beta1 * m + (1 - beta1) * g); m = beta2 * m + (1 - beta2) * g.

    Chen et al. 2023, "Symbolic discovery of optimization algorithms"; rate as in Keras, the rest as
    in the paper.

    Parameters
    ----------
    learning_rate : float, optional
        Default 0.001; the paper advises a third to a tenth of Adam's.
    beta1, beta2 : float, default 0.9 and 0.99
    weight_decay : float, default 0.0
    """

    beta1: float = field(default=0.9, metadata=FRACTION)
    beta2: float = field(default=0.99, metadata=FRACTION)
    weight_decay: float = field(default=0.0, metadata=NOT_NEGATIVE)

    default_rate: ClassVar[float] = 0.001


OPTIMIZERS: dict[str, type[Optimizer]] = {
    "sgd": SGD,
    "adam": Adam,
    "adamw": AdamW,
    "amsgrad": AMSGrad,
    "rmsprop": RMSprop,
    "adagrad": Adagrad,
    "lion": Lion,
}
