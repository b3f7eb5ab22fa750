"""Large arrays are converted and copied in blocks, between which Python handles interrupts."""

from typing import Any

import numpy as np
import pytest

from fastmlp.data import arrays, finite, sampling, take_rows

VALUES = np.random.default_rng(0).normal(size=(37, 5))


@pytest.fixture(autouse=True)
def interrupts(monkeypatch: pytest.MonkeyPatch) -> list[None]:
    """Blocks of a few rows; an element for each time that an interrupt might come."""
    found: list[None] = []
    for module in (arrays, sampling):
        monkeypatch.setattr(module, "_BLOCK_BYTES", 100)
        monkeypatch.setattr(module, "check_interrupt", lambda: found.append(None))
    return found


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    "values",
    [VALUES, np.asfortranarray(VALUES), VALUES[::2, ::-1], VALUES.astype(">f4"), VALUES > 0],
    ids=["C", "F", "strided", "big-endian", "bool"],
)
def test_conversion(values: Any, dtype: Any, interrupts: list[None]) -> None:
    got = finite(values, dtype, "X")
    assert got.dtype == dtype
    assert got.flags.c_contiguous
    np.testing.assert_array_equal(got, values.astype(dtype))
    assert len(interrupts) >= 4
    assert np.shares_memory(got, values) == (values is VALUES and dtype == np.float64)


@pytest.mark.parametrize("shape", [(37, 5), (37,), (1, 400), (2, 3, 9)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_first_value_that_is_not_finite(shape: tuple[int, ...], dtype: Any) -> None:
    for place in np.ndindex(shape):
        values = np.zeros(shape)
        values[place] = np.inf
        values.flat[-1] = np.inf
        name = ", ".join(map(str, place))
        with pytest.raises(ValueError, match=rf"X\[{name}\] is inf"):
            finite(values, dtype, "X")


@pytest.mark.parametrize("rows", [slice(3, 30, 2), np.arange(37)[::-3], np.empty(0, np.intp)])
@pytest.mark.parametrize("values", [VALUES, VALUES[:, 0], np.asfortranarray(VALUES), VALUES > 0])
def test_rows(rows: Any, values: Any, interrupts: list[None]) -> None:
    got = take_rows(values, rows)
    np.testing.assert_array_equal(got, values[rows], strict=True)
    assert len(interrupts) == 0 or len(rows) == 13
    assert np.shares_memory(got, values) == isinstance(rows, slice)
