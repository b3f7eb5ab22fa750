"""Inputs of a network: encoding of users' rows as rows of the kernels."""

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from ..data import (
    AnyFeatures,
    Array,
    EncodedRows,
    Features,
    Names,
    Numbers,
    Rows,
    SparseFeatures,
    SparseRows,
    are_numbers,
    check_names,
    is_ready,
    of_lists,
    open_features,
    take_rows,
)
from ..settings import FitSettings, check_setting
from ..settings.combinations import other_network
from .categories_and_gaps import Columns
from .checks import check_count, check_first, check_sparse_settings
from .learn_columns import learn_columns
from .learn_scaling import Setting, given_scaling, learn_scaling
from .learn_sparse_scaling import learn_sparse_scaling
from .scaling import Scaling
from .sparse_columns import sparse_rows

_NONE = Scaling()


@dataclass(frozen=True, eq=False)
class Inputs:
    """Encoding of rows as inputs of a network.

    Parameters
    ----------
    columns : Columns
        Encoding of columns as numbers.
    names : array of object, optional
        Names of the columns, mostly strings; None if there are none, or 0, 1, ... in their place.
    scaling : Scaling
        Of all encoded columns; of many categories, which become sparse rows, of the columns of
        numbers alone.
    """

    columns: Columns
    names: Names | None = None
    scaling: Scaling = field(default_factory=Scaling)

    @property
    def count(self) -> int:
        """Number of inputs of the network."""
        return self.scaling.n_inputs(self.columns.n_inputs)

    @property
    def of_kernels(self) -> Scaling:
        """The scaling that kernels apply to encoded rows, where it is theirs: of many categories,
        rows are the inputs."""
        return _NONE if self.columns.are_sparse else self.scaling

    def open(self, X: Any, name: str = "X", *, named: bool = True) -> AnyFeatures:
        """Open rows and check that they have the columns of the fit.

        ``named`` says whether column names (or their absence) are known.

        Raises
        ------
        TypeError, ValueError
            If X cannot be read, or has other columns.
        """
        features = open_features(X, name)
        if named:
            check_names(self.names, features.names, name)
        if features.shape[1] != self.columns.n_given:
            got = features.shape[1]
            raise ValueError(f"{name} must have {self.columns.n_given} features; got {got}")
        return features

    def rows(
        self, X: Any, dtype: np.dtype[Any], name: str = "X", *, named: bool = True
    ) -> EncodedRows:
        """Open and encode rows like those of the fit; raises as :meth:`open`."""
        columns = self.columns
        special = columns.categories or columns.gaps or (named and self.names is not None)
        if not special and is_ready(rows := of_lists(X, columns.n_given), columns.n_given):
            return self.scaling.apply(rows, dtype, name)
        return self.encode(self.open(X, name, named=named), dtype)

    def encode(self, features: AnyFeatures, dtype: np.dtype[Any]) -> EncodedRows:
        """Encode rows for the kernels: columns to numbers, then scaling."""
        if isinstance(features, SparseFeatures):
            return self._sparse(features, dtype)
        rows = self.columns.encode(features, _precision(self.scaling, dtype))
        encoded = self.scaled(rows, features, dtype)
        self.columns.warn_of_unknown(features)
        return encoded

    def scaled(self, rows: Array, features: Features, dtype: np.dtype[Any]) -> EncodedRows:
        """Rows of numbers as rows for the kernels."""
        if self.columns.are_sparse:
            return sparse_rows(self.columns, rows, features, self.scaling, dtype)
        return self.scaling.apply(rows, dtype, features.name)

    def _sparse(self, features: SparseFeatures, dtype: np.dtype[Any]) -> SparseRows:
        """Sparse rows; a TypeError or a ValueError if the network needs others."""
        if self.columns.n_inputs != self.columns.n_given:
            raise TypeError(
                f"{features.name} must not be sparse, as columns of categories or gaps of the fit "
                "became further ones; got a sparse matrix"
            )
        self.scaling.check_keeps_zeros(features.name)
        rows = features.rows(_precision(self.scaling, dtype))
        return self.scaling.apply_sparse(rows, dtype, features.name)

    def check_scaling(self, setting: Setting) -> None:
        """Raise a ValueError if a setting differs from the scaling of a network to continue."""
        given, known = given_scaling(setting), self.scaling
        if given is None:
            agrees = setting in ("auto", known.kind)
        else:
            agrees = given.kind == known.kind and np.array_equal(given.factor, known.factor)
        if not agrees:
            raise other_network(f"scaling={setting!r}, but the network has {known}")

    def scaled_by(self, given: Any) -> "Inputs":
        """A copy with another scaling: a learned one, None, or factors.

        Raises
        ------
        TypeError, ValueError
            If it is something else, or for another number of features.
        """
        if isinstance(given, str):
            wanted = "factors, or what scaling_ of a fitted trainer gives"
            raise TypeError(f"scaling must be {wanted}; got {given!r}")
        if not isinstance(given, Scaling):
            given = given_scaling(check_setting("scaling", given))
        return replace(self, scaling=given.check(self.columns.n_scaled))

    def plain(self) -> dict[str, Any]:
        """The inputs as plain arrays and values."""
        return {**vars(self), "columns": self.columns.plain(), "scaling": self.scaling.plain()}

    @classmethod
    def from_plain(cls, plain: dict[str, Any]) -> "Inputs":
        """The inputs restored from :meth:`plain`."""
        columns = Columns.from_plain(plain["columns"])
        scaling = Scaling.from_plain(plain["scaling"]).check(columns.n_scaled)
        inputs = cls(columns, plain["names"], scaling)
        if inputs.names is not None and len(inputs.names) != columns.n_given:
            raise ValueError(f"{columns.n_given} features have {len(inputs.names)} names")
        return inputs


def learn_inputs(
    features: AnyFeatures, train: Rows, weights: Numbers | None, settings: FitSettings,
    given: Inputs | None = None,
) -> tuple[Inputs, EncodedRows]:  # fmt: skip
    """Learn the inputs from the training rows; return them and all encoded rows.

    Parameters
    ----------
    features : AnyFeatures
        All rows.
    train : slice or array of int
        The training rows.
    weights : array, optional
        Weights of the training rows.
    settings : FitSettings
    given : Inputs, optional
        Inputs of weights given by a user, whose number and scaling stay.

    Raises
    ------
    TypeError, ValueError
        For unusable rows, rows that make another number of inputs, or a first chunk of many in
        which a column is constant.
    """
    scaling = given.scaling if given else given_scaling(settings.scaling)
    precision = _precision(scaling, settings.dtype)
    if isinstance(features, SparseFeatures):
        return _learn_sparse(features, train, settings, given)
    columns, rows = learn_columns(features, train, weights, precision, settings.missing)
    check_count(columns, features.name, given.columns if given else None)
    constant: list[int] = []
    if scaling is None:
        scaling = learn_scaling(
            str(settings.scaling), take_rows(rows[:, : columns.n_scaled], train), weights,
            linear=len(settings.hidden) == 0, open_ended=settings.open_ended,
        )  # fmt: skip
        constant = scaling.constant
    if settings.open_ended:
        gaps = range(columns.n_dense - len(columns.gaps), columns.n_dense)
        check_first(features, columns, constant + [k for k in gaps if rows[train, k].all()])
    names = None if are_numbers(features.names) else features.names
    inputs = Inputs(columns, names, scaling.check(columns.n_scaled))
    return inputs, inputs.scaled(rows, features, settings.dtype)


def _learn_sparse(
    features: SparseFeatures, train: Rows, settings: FitSettings, given: Inputs | None
) -> tuple[Inputs, SparseRows]:
    """The same for sparse rows, whose zeros stay zeros."""
    columns, name = Columns(features.shape[1]), features.name
    check_sparse_settings(settings, name)
    check_count(columns, name, given.columns if given else None)
    scaling = given.scaling if given else given_scaling(settings.scaling)
    if scaling is not None:
        scaling.check(columns.n_inputs).check_keeps_zeros(name)
    rows = features.rows(_precision(scaling, settings.dtype))
    if scaling is None:
        open_ended = settings.open_ended
        scaling = learn_sparse_scaling(str(settings.scaling), rows[train], open_ended=open_ended)
        check_first(features, columns, scaling.constant if open_ended else [])
    names = None if are_numbers(features.names) else features.names
    return Inputs(columns, names, scaling), scaling.apply_sparse(rows, settings.dtype, name)


def _precision(scaling: Scaling | None, dtype: np.dtype[Any]) -> np.dtype[Any] | None:
    """Dtype in which to read rows: the network's if scaling does not change them, else None, their
    own."""
    return dtype if scaling is not None and scaling.leaves_rows else None
