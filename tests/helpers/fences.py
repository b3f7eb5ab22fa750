"""Kernels among fences: whatever they read or write beside their operands, shows.

Each array begins or ends at a page that is not mapped, so that the process dies of a step beyond.
Buffers that share the memory of a run lie apart, and what is left between them is NaN: it must
survive, and no result may become NaN.
"""

import ctypes
import mmap
import os
import sys
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from fastmlp.fitting import memory as fitting
from fastmlp.kernels.runs import jobs, layout, plan
from fastmlp.outputs.targets import PADDING
from tests.helpers.basics import Array

_libc = ctypes.CDLL(None, use_errno=True)
_PROT_NONE = 0
# Elements of the gap between two buffers, and the bits of its NaN: a signalling one, which no
# arithmetic leaves as it is.
_GAP = 64
_CANARIES = {4: np.uint32(0x7FA0DEAD), 8: np.uint64(0x7FF4DEADDEADDEAD)}

# Arrays of the caller that kernels write to.
_WRITTEN = {"team", "row_masks", "segments", "predictions", "totals"}
# Elements behind the last of them that count, as kernels load whole vectors.
_PADDED = {"targets": PADDING, "weights": PADDING, "score_weights": PADDING}


def fenced(count: int, dtype: Any, place: str) -> Array:
    """A flat array of zeros whose ``place``, "start" or "end", is at a page that is not mapped."""
    size = int(count) * np.dtype(dtype).itemsize
    room = -(-size // mmap.PAGESIZE) * mmap.PAGESIZE
    block = mmap.mmap(-1, room + 2 * mmap.PAGESIZE)
    first = ctypes.addressof(ctypes.c_char.from_buffer(block))
    for page in (first, first + mmap.PAGESIZE + room):
        failed = _libc.mprotect(ctypes.c_void_p(page), ctypes.c_size_t(mmap.PAGESIZE), _PROT_NONE)
        assert not failed, os.strerror(ctypes.get_errno())
    offset = mmap.PAGESIZE + (room - size if place == "end" else 0)
    return np.ndarray(count, dtype, block, offset)


class _SpacedAllocator(layout.Allocator):
    """Leaves a gap behind everything it hands out."""

    made: list["_SpacedAllocator"] = []  # noqa: RUF012 - of the class on purpose

    def __init__(self, itemsize: int) -> None:
        super().__init__(itemsize)
        self.pieces: list[tuple[int, int]] = []
        self.made.append(self)

    def take(self, count: int) -> int:
        offset = super().take(count)
        self.pieces.append((offset, count))
        super().take(_GAP)
        return offset

    def gaps(self) -> npt.NDArray[np.bool_]:
        """Which elements belong to nothing."""
        free = np.ones(self.used, bool)
        for offset, count in self.pieces:
            free[offset : offset + count - (_FencedJob.shortened == "memory")] = False
        return free


def _gaps_of_last(plan: plan.Plan) -> npt.NDArray[np.bool_]:
    """Which elements of the memory of the plan that was made last belong to nothing.

    Weights, with their state, and the gradient consist of copies of what was laid out for one
    network; the last piece before the slopes of layers, of what was laid out for one member.
    Between them may lie the values at knots.
    """
    network, memory, member = _SpacedAllocator.made[-3:]
    free, pieces = memory.gaps(), memory.pieces
    scratch = pieces[-1 - np.count_nonzero(plan.layers["slopes"][0])]
    for (offset, count), part in zip(
        (*pieces[:2], scratch), (network, network, member), strict=True
    ):
        free[offset : offset + count] = np.tile(part.gaps(), count // part.used)
    return free


class _FencedJob(jobs.Job):
    """A job that works on fenced copies of the caller's arrays, with canaries in its memory."""

    place: str
    shortened = ""  # an array that lacks its last element, or "memory": all buffers do

    def __init__(self, kernel: Any, plan: plan.Plan, memory: Array, **options: Any) -> None:
        super().__init__(kernel, plan, memory, **options)
        self._arrays: dict[str, tuple[Array, Array]] = {}  # of the caller, and its fenced copy
        self._bits = memory.view(_CANARIES[memory.itemsize].dtype)
        self._canary, self._gaps = _CANARIES[memory.itemsize], _gaps_of_last(plan)
        assert self._gaps.shape == memory.shape

    def point(self, **arrays: Array) -> None:
        for name, array in arrays.items():
            count = array.size - (name == self.shortened) * (1 + _PADDED.get(name, 0))
            self._arrays[name] = array.reshape(-1)[:count], fenced(count, array.dtype, self.place)
            # Another job may read it before this one runs.
            self._arrays[name][1][...] = self._arrays[name][0]
        super().point(**{name: self._arrays[name][1] for name in arrays})

    def set_rows(self, X: Array, order: Array, *, in_place: bool) -> None:
        super().set_rows(X, order, in_place=in_place)
        if in_place:
            distance = self._arrays["input"][1].ctypes.data - X.ctypes.data
            for name in ("activations", "outputs"):
                self.plan.layers[name][:, 0] += distance // X.itemsize

    def run(self, **options: Any) -> bool:
        for array, copy in self._arrays.values():
            copy[...] = array
        self._bits[self._gaps] = self._canary
        asked = super().run(**options)
        assert (self._bits[self._gaps] == self._canary).all(), "a write between two buffers"
        self._bits[self._gaps] = 0
        for name, (array, copy) in self._arrays.items():
            if name in _WRITTEN:
                array[...] = copy
            else:
                assert np.array_equal(array, copy, equal_nan=True), f"{name} was written to"
        return asked


@contextmanager
def fences(place: str, shortened: str = "") -> Iterator[None]:
    """Let all jobs that are made within work among fences.

    To see that fences hold, one array of the caller may be ``shortened`` by an element, or each
    buffer in memory.
    """

    def aligned_zeros(count: int, dtype: np.dtype[Any]) -> Array:
        array = fenced(count, dtype, place)
        assert array.ctypes.data % 64 == 0
        return array

    def table(self: plan.Plan, values: npt.ArrayLike) -> int:
        words = np.ascontiguousarray(values, np.int64)
        self.tables.append(fenced(words.size, np.int64, place))
        self.tables[-1][...] = words
        return self.tables[-1].ctypes.data

    weight_layout = layout.weight_layout.__wrapped__  # without a layout of another allocator
    with pytest.MonkeyPatch.context() as patch:
        for name, module in list(sys.modules.items()):
            for function in (aligned_zeros, weight_layout):
                if name.startswith("fastmlp.") and hasattr(module, function.__name__):
                    patch.setattr(module, function.__name__, function)
        for module in (layout, plan):
            patch.setattr(module, "Allocator", _SpacedAllocator)
        patch.setattr(plan, "_planned", plan._planned.__wrapped__)
        patch.setattr(plan.Plan, "table", table)
        patch.setattr(jobs, "Job", _FencedJob)
        patch.setattr(fitting, "_kept", OrderedDict())
        patch.setattr(_FencedJob, "place", place, raising=False)
        patch.setattr(_FencedJob, "shortened", shortened)
        yield
