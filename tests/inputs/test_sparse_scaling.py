"""Scaling of sparse rows: zeros stay zeros, and the others become what they are in dense rows."""

from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp

from fastmlp import Trainer
from fastmlp.data import open_features
from fastmlp.inputs import Inputs, Scaling, learn_inputs
from fastmlp.settings import choices, resolved

FLOAT32, FLOAT64 = np.dtype(np.float32), np.dtype(np.float64)
DENSE = np.random.default_rng(0).normal(size=(60, 8)) * (np.arange(480).reshape(60, 8) % 3 == 0)
DENSE *= np.geomspace(1e-3, 1e4, 8)
DENSE[:, 5] = 0
DENSE[40:, 6] = 0
DENSE[:40, 6] = 0.5
SPARSE = sp.csr_matrix(DENSE)


def learned(X: Any, train: Any = slice(None), *, open_ended: bool = False, **settings: Any) -> Any:
    chosen = choices(Trainer(dtype="float64", **settings))
    settled = resolved(chosen, X.shape[0], validated=True, open_ended=open_ended)
    return learn_inputs(open_features(X), train, None, settled)


@pytest.mark.parametrize("scaling", ["max_abs", None, 0.25, tuple(np.linspace(-1, 2, 8))])
@pytest.mark.parametrize("train", [slice(None), slice(40), np.arange(3, 60, 2)], ids=str)
def test_that_of_dense_rows(scaling: Any, train: Any) -> None:
    inputs, rows = learned(SPARSE, train, scaling=scaling)
    dense_inputs, dense_rows = learned(DENSE, train, scaling=scaling)
    np.testing.assert_array_equal(inputs.scaling.factor, dense_inputs.scaling.factor)
    assert (inputs.scaling.kind, inputs.scaling.reason) == (dense_inputs.scaling.kind, "")
    np.testing.assert_array_equal(rows.dense(), dense_rows)
    np.testing.assert_array_equal(inputs.rows(DENSE, FLOAT64), dense_rows)
    np.testing.assert_array_equal(dense_inputs.rows(SPARSE, FLOAT64).dense(), dense_rows)


def test_auto_is_max_abs_where_a_column_is_large() -> None:
    inputs, rows = learned(SPARSE)
    assert str(inputs.scaling) == "max_abs scaling (auto: sparse rows)"
    largest = np.abs(DENSE).max(axis=0)
    np.testing.assert_allclose(np.abs(rows.dense()).max(axis=0), largest > 0)
    assert inputs.scaling.constant == [5]


@pytest.mark.parametrize(
    ("size", "kind"), [(0.05, "max_abs"), (0.15, "none"), (29, "none"), (31, "max_abs")]
)
def test_auto_leaves_rows_of_about_unit_size(size: float, kind: str) -> None:
    """A value in each row; by the root mean square of a column, not its largest value."""
    values = size * np.sqrt(2) * np.resize([0.0, 1.0], 400)
    X = sp.csr_matrix((values, (np.arange(400), np.resize([0, 0, 1, 1], 400))), shape=(400, 3))
    for open_ended in (False, True):
        inputs, rows = learned(X, open_ended=open_ended)
        assert inputs.scaling.kind == kind
    if kind == "none":
        np.testing.assert_array_equal(rows.dense(), X.toarray())
        assert str(inputs.scaling).endswith("(auto: sparse rows of about unit size)")


def test_tiny_values_do_not_overflow() -> None:
    inputs, rows = learned(sp.csr_matrix([[5e-324, 1], [0, 2]]), scaling="max_abs")
    assert inputs.scaling.factor.tolist() == [0, 0.5]
    assert rows.dense().tolist() == [[0, 0.5], [0, 1]]


@pytest.mark.parametrize("scaling", ["standard", "robust", "piecewise", "quantile"])
def test_scalings_that_move_zeros_are_refused(scaling: str) -> None:
    with pytest.raises(ValueError, match=f"scaling must be .* for sparse X, .*; got '{scaling}'"):
        learned(SPARSE, scaling=scaling)
    inputs, _ = learned(DENSE, scaling=scaling)
    with pytest.raises(ValueError, match=f"val X must be dense for .* {scaling} .*toarray"):
        inputs.rows(SPARSE, FLOAT64, "val X")


def test_factors_for_other_columns() -> None:
    with pytest.raises(ValueError, match="scaling must be for 8 features; got 3 of them"):
        learned(SPARSE, scaling=(1.0, 2.0, 3.0))


def test_medians_have_no_effect() -> None:
    with pytest.raises(ValueError, match=r"missing has no effect for sparse X, .*; got 'impute'"):
        learned(SPARSE, missing="impute")


def test_networks_of_more_columns_than_given() -> None:
    """Those of gaps."""
    gaps = DENSE.copy()
    gaps[3, 2] = np.nan
    inputs, _ = learned(gaps, scaling="max_abs", missing="impute")
    with pytest.raises(TypeError, match=r"X must not be sparse, as columns of .* gaps .* sparse"):
        inputs.rows(SPARSE, FLOAT64)
    inputs, rows = learned(DENSE, scaling="max_abs", missing="impute")  # no gaps
    np.testing.assert_array_equal(inputs.rows(SPARSE, FLOAT64).dense(), rows)


def test_empty_columns_of_a_first_chunk_have_the_median_factor() -> None:
    """Most columns of sparse chunks are empty in the first one."""
    inputs, rows = learned(SPARSE, open_ended=True)
    wanted = 1 / np.abs(np.delete(DENSE, 5, axis=1)).max(axis=0)
    np.testing.assert_allclose(inputs.scaling.factor, np.insert(wanted, 5, np.median(wanted)))
    np.testing.assert_allclose(rows.dense(), DENSE * inputs.scaling.factor)
    with pytest.raises(ValueError, match=r"must vary in every column of the first .* columns 5:"):
        learned(SPARSE, open_ended=True, scaling="max_abs")
    with pytest.raises(ValueError, match=r"must vary in every column of the first .* columns 0, 1"):
        learned(SPARSE * 0, open_ended=True)
    assert learned(SPARSE, open_ended=True, scaling=None)[0].scaling.kind == "none"


def test_values_that_overflow() -> None:
    """After the conversion by name; after the scaling in kernels, as of dense rows."""
    inputs = Inputs(learned(SPARSE)[0].columns, None, Scaling())
    large = SPARSE * 1e36
    with pytest.raises(ValueError, match=r"X\[\d+, 7\] is .*; it must be finite in float32"):
        inputs.rows(large, FLOAT32)
    inputs, _ = learned(SPARSE, scaling="max_abs")
    assert np.isfinite(inputs.rows(large, FLOAT32).values).all()
    assert np.isinf(inputs.rows(large * 1e9, FLOAT32).values).any()


def test_the_matrix_stays_as_it_is() -> None:
    X = SPARSE.astype(np.float32)
    before = X.data.copy()
    learned(X, scaling="max_abs")
    np.testing.assert_array_equal(X.data, before)
