"""What the inputs of a network stand for."""

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from ..data import Features, Names, check_names, feature_names, is_ready
from ..settings import FitSettings, check_setting
from .columns import Columns, learn_columns
from .learn_scaling import given_scaling, learn_scaling
from .scaling import Scaling

Array = npt.NDArray[Any]


@dataclass(frozen=True, eq=False)
class Inputs:
    """What the inputs of a network stand for.

    Parameters
    ----------
    columns : Columns
        What is learned of the columns of the rows from outside.
    names : array of str, optional
        What they are called.
    scaling : Scaling
    """

    columns: Columns
    names: Names | None = None
    scaling: Scaling = field(default_factory=Scaling)

    @property
    def count(self) -> int:
        """Inputs of the network."""
        return self.scaling.n_inputs(self.columns.n_inputs)

    def features(self, X: Any, name: str = "X", *, named: bool = True) -> Features:
        """Rows like those of the fit, not yet read.

        ``named`` says whether names (or that there are none) are known.
        """
        names = feature_names(X, name)
        if named:
            check_names(self.names, names, name)
        return Features(X, name, self.columns.n_given)

    def rows(self, X: Any, dtype: np.dtype[Any], name: str = "X", *, named: bool = True) -> Array:
        """Rows as kernels take them, from rows like those of the fit.

        ``named`` says whether names (or that there are none) are known.
        """
        columns = self.columns
        special = columns.categories or columns.gaps or (named and self.names is not None)
        if not special and is_ready(X, columns.n_given):
            return self.scaling.apply(X, dtype, name)
        return self.read(self.features(X, name, named=named), dtype)

    def read(self, features: Features, dtype: np.dtype[Any]) -> Array:
        """Rows as kernels take them."""
        rows = self.columns.encoded(features, _precision(self.scaling, dtype))
        return self.scaling.apply(rows, dtype, features.name)

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
        return replace(self, scaling=given.check(self.columns.n_inputs))

    def plain(self) -> dict[str, Any]:
        """Plain arrays and values."""
        return {**vars(self), "columns": self.columns.plain(), "scaling": self.scaling.plain()}

    @classmethod
    def from_plain(cls, plain: dict[str, Any]) -> "Inputs":
        """The inputs that gave :meth:`plain`."""
        columns = Columns.from_plain(plain["columns"])
        scaling = Scaling.from_plain(plain["scaling"]).check(columns.n_inputs)
        inputs = cls(columns, plain["names"], scaling)
        if inputs.names is not None and len(inputs.names) != columns.n_given:
            raise ValueError(f"{columns.n_given} features have {len(inputs.names)} names")
        return inputs


def _precision(scaling: Scaling | None, dtype: np.dtype[Any]) -> np.dtype[Any] | None:
    """That in which rows came, where a scaling, which may not be known yet, wants it."""
    return dtype if scaling is not None and scaling.leaves_rows else None


def learn_inputs(
    features: Features, names: Names | None, train: slice | Array, weights: Any,
    settings: FitSettings, given: Inputs | None = None,
) -> tuple[Inputs, Array]:  # fmt: skip
    """What the training rows say of the inputs, and all rows as kernels take them.

    Parameters
    ----------
    features : Features
        All rows.
    names : array of str, optional
    train : slice or array of int
        The training rows.
    weights : array, optional
        Of the training rows.
    settings : FitSettings
    given : Inputs, optional
        Of weights that were given: they say how many inputs there are, and how these are scaled.

    Raises
    ------
    TypeError, ValueError
        For rows that nothing can be learned of, or that make another number of inputs.
    """
    scaling = given.scaling if given else given_scaling(settings.scaling)
    precision = _precision(scaling, settings.dtype)
    columns, rows = learn_columns(features, train, weights, precision, settings.missing)
    if given and given.columns.n_inputs != columns.n_inputs:
        got = f"got {columns.n_given}"
        if columns.n_given != columns.n_inputs:
            got += f", which make {columns.n_inputs} columns of numbers"
        raise ValueError(f"{features.name} must have {given.columns.n_inputs} features; {got}")
    if scaling is None:
        is_linear = len(settings.hidden) == 0
        kind = str(settings.scaling)
        scaling = learn_scaling(kind, rows[train], weights, linear=is_linear)
    inputs = Inputs(columns, names, scaling.check(columns.n_inputs))
    return inputs, scaling.apply(rows, settings.dtype, features.name)
