"""What the inputs of a network stand for."""

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from ..validation import Names, check_features, check_names, check_setting, feature_names
from .learn import given_scaling, learn_scaling
from .scaling import Scaling

Array = npt.NDArray[Any]


@dataclass(frozen=True, eq=False)
class Inputs:
    """What the inputs of a network stand for.

    Parameters
    ----------
    n_features : int
        Columns of the rows from outside.
    names : array of str, optional
        What they are called.
    scaling : Scaling
    """

    n_features: int
    names: Names | None = None
    scaling: Scaling = field(default_factory=Scaling)

    def read(self, X: Any, dtype: np.dtype[Any], name: str = "X", *, named: bool = True) -> Array:
        """Rows like those of the fit, as kernels take them.

        ``named`` says whether names (or that there are none) are known.
        """
        if named:
            check_names(self.names, feature_names(X, name), name)
        rows = read_rows(X, dtype, self.scaling, n_features=self.n_features, name=name)
        return self.scaling.apply(rows, dtype, name)

    def scaled_by(self, given: Any) -> "Inputs":
        """With another scaling: one that was learned, None, or factors.

        Raises
        ------
        TypeError, ValueError
            If it is something else, or for another number of features.
        """
        if not isinstance(given, Scaling):
            if isinstance(given, str):
                raise TypeError(
                    "scaling must be factors, or what scaling_ of a fitted trainer gives; "
                    f"got {given!r}"
                )
            given = given_scaling(check_setting("scaling", given))
        return replace(self, scaling=given.check(self.n_features))

    def plain(self) -> dict[str, Any]:
        """Plain arrays and values."""
        return {**vars(self), "scaling": self.scaling.plain()}

    @classmethod
    def from_plain(cls, plain: dict[str, Any]) -> "Inputs":
        """The inputs that gave :meth:`plain`."""
        scaling = Scaling.from_plain(plain["scaling"]).check(plain["n_features"])
        inputs = cls(**plain | {"scaling": scaling})
        if inputs.names is not None and len(inputs.names) != inputs.n_features:
            raise ValueError(f"{inputs.n_features} features have {len(inputs.names)} names")
        return inputs


def read_rows(
    X: Any, dtype: np.dtype[Any], scaling: Scaling | None, *, n_features: int | None = None,
    name: str = "X",
) -> Array:  # fmt: skip
    """Rows, in the precision in which they came where a scaling, which may not be known yet, wants
    it."""
    wanted = dtype if scaling is not None and scaling.leaves_rows else None
    return check_features(X, wanted, n_features=n_features, name=name)


def learn_inputs(rows: Array, names: Names | None, weights: Any, setting: Any) -> Inputs:
    """What the training rows, as :func:`read_rows` gave them, say of the inputs."""
    n_features = rows.shape[1]
    scaling = given_scaling(setting)
    if scaling is None:
        scaling = learn_scaling(setting, rows, weights)
    return Inputs(n_features, names, scaling.check(n_features))
