"""A network as a function of other compiled code."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from ..kernels.plugins.given_rows import KINDS
from ..kernels.runs.c_functions import c_functions, python_function
from ..kernels.runs.numba_type import network_type, register
from ..network.encoding import Encoding
from ..network.packed_network import Network
from .call_records import CallRecords

_Integrand = ctypes.CFUNCTYPE(
    ctypes.c_double, ctypes.c_int, ctypes.POINTER(ctypes.c_double), ctypes.c_void_p
)

# Objects whose address is a constant in compiled code, which Numba never unloads.
_pinned: dict[int, CompiledPredictor] = {}


class CompiledPredictor:
    """A trained network as a function for code that Numba compiles: ``p = predict(x)``.

    ``Trainer.compiled`` makes it. It keeps the weights of that moment and never changes. Any number
    of threads may call it at the same time; each call runs in the calling thread alone, without
    Python and its lock.

    Parameters
    ----------
    network : Network
    encoding : Encoding

    Attributes
    ----------
    dtype : numpy.dtype
        Of the results: the network's for probabilities, float64 for numbers.
    n_features_in_ : int
        Numbers in a row of x.
    n_columns : int
        Numbers in a row of the result: one for each class or label, or for each column of Y.
    numba_type : numba.types.Type
        Its type in signatures, which depends on ``dtype`` alone.
    network : int
        Address of the network for the C function at ``address``, valid while this object exists.

    Raises
    ------
    ValueError
        For a network whose features are categories, or had gaps in training.
    """

    dtype: np.dtype[Any]
    n_features_in_: int
    n_columns: int
    numba_type: Any
    network: int
    _network: Network
    _encoding: Encoding
    _call: Callable[..., int]

    def __init__(self, network: Network, encoding: Encoding) -> None:
        columns, outputs = encoding.inputs.columns, encoding.outputs
        if columns.categories or columns.medians is not None:
            got = "categories" if columns.categories else "missing='impute'"
            raise ValueError(f"compiled() needs features that are numbers without gaps; got {got}")
        dtype = np.dtype(np.float64) if outputs.loss.is_numeric else network.dtype
        n_columns = 2 if outputs.kind == "pair" else outputs.count
        records = CallRecords(network, encoding, n_columns)
        vars(self).update(
            _network=network, _encoding=encoding, dtype=dtype, n_features_in_=columns.n_given,
            n_columns=n_columns, _records=records, network=records.address,
            numba_type=network_type(dtype), _call=partial(python_function(), records.address),
        )  # fmt: skip

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError(f"a CompiledPredictor does not change; got {name}={value!r}")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"a CompiledPredictor does not change; got del {name}")

    def __repr__(self) -> str:
        outputs = self._encoding.outputs
        return f"<CompiledPredictor: {self.n_features_in_} features to {outputs}, {self.dtype}>"

    def __call__(
        self, x: npt.ArrayLike, out: npt.NDArray[np.floating] | None = None
    ) -> npt.NDArray[np.floating]:
        """Return probabilities or numbers for one row (d,) or rows (n, d).

        Parameters
        ----------
        x : array of shape (d,) or (n, d)
            float64, float32, int64, int32, uint8 or bool, with any strides. A row with NaN or
            infinity gives NaN.
        out : array of shape (n_columns,) or (n, n_columns), optional
            Where the result goes: C-contiguous, of ``dtype``, not in the memory of x.

        Returns
        -------
        array of shape (n_columns,) or (n, n_columns)
            As from ``predict_proba``, or for numbers from ``predict``.

        Raises
        ------
        TypeError, ValueError
            For arrays of other dtypes or shapes.
        """
        if hasattr(x, "tocsr"):
            raise TypeError(f"x must be dense; got a {type(x).__name__}: give x.toarray()")
        x = np.asarray(x)
        if x.dtype not in KINDS:
            names = ", ".join(map(str, KINDS))
            raise TypeError(f"x must have one of the dtypes {names}; got {x.dtype}")
        if x.ndim not in (1, 2) or x.shape[-1] != self.n_features_in_:
            d = self.n_features_in_
            raise ValueError(f"x must have the shape ({d},) or (n, {d}); got {x.shape}")
        shape = (*x.shape[:-1], self.n_columns)
        if out is None:
            out = np.empty(shape, self.dtype)
        elif not isinstance(out, np.ndarray) or out.dtype != self.dtype:
            got = getattr(out, "dtype", type(out).__name__)
            raise TypeError(f"out must be an array of {self.dtype}; got {got}")
        elif out.shape != shape or not out.flags.carray:
            raise ValueError(
                f"out must be writeable, in C order, of shape {shape}; got {out.shape}"
            )
        rows = out.size // self.n_columns
        steps = x.strides[0], x.strides[-1]
        if self._call(x.ctypes.data, KINDS[x.dtype], rows, *steps, out.ctypes.data, 0):
            raise MemoryError("there is no memory for a call of the network")
        return out

    @property
    def address(self) -> int:
        """Address of ``int f(void *network, const double *x, int64_t n_rows, double *out)``.

        For x of shape (n_rows, n_features_in_) and out of shape (n_rows, n_columns), both
        C-contiguous doubles. It returns 0, or 1 if there is no memory, and is valid until the
        process ends.
        """
        return c_functions().rows

    def low_level_callable(self) -> Any:
        """Return a ``scipy.LowLevelCallable``, ``double f(int n, double *x, void *network)``.

        Its value is the number that is predicted for the n features at x, or of two classes the
        probability of the second one; NaN for another n. SciPy's integrators call it without
        Python.

        Raises
        ------
        ImportError
            Without SciPy.
        ValueError
            For a network with more outputs.
        """
        outputs = self._encoding.outputs
        if self.n_columns > (2 if outputs.kind in ("classes", "pair") else 1):
            raise ValueError(
                "low_level_callable needs a network that predicts one number or two classes; got "
                f"{outputs}"
            )
        try:
            from scipy import LowLevelCallable
        except ImportError as error:
            raise ImportError(
                "low_level_callable needs SciPy: pip install 'fastmlp[sklearn]'"
            ) from error
        pointer = ctypes.c_void_p(self.network)
        pointer.owner = self  # type: ignore[attr-defined]  # SciPy keeps the pointer
        return LowLevelCallable(_Integrand(c_functions().integrand), pointer)

    def pin(self) -> int:
        """Keep this object for ever, as compiled code has its address; return that."""
        _pinned[self.network] = self
        return self.network

    def __copy__(self) -> CompiledPredictor:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> CompiledPredictor:
        return self

    def __getstate__(self) -> dict[str, Any]:
        network = self._network.restarted(self._network.rule).plain()
        return {"network": network, "encoding": self._encoding.plain()}

    def __setstate__(self, state: dict[str, Any]) -> None:
        network, encoding = Network.from_plain(state["network"]), state["encoding"]
        self.__init__(network, Encoding.from_plain(encoding))  # type: ignore[misc]


register(CompiledPredictor)  # takes 0.7 ms
