"""Calls from compiled code give what predictions from Python give, bit for bit."""

import copy
import ctypes
import gc
import os
import pickle
import shutil
import signal
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numba
import numpy as np
import pytest

import fastmlp
from fastmlp import MLPClassifier, MLPRegressor, NotFittedError, Trainer, losses
from fastmlp.inference.call_records import STACK
from fastmlp.inference.compiled import CompiledPredictor
from fastmlp.inputs import Scaling
from fastmlp.kernels.language import backend
from fastmlp.kernels.language.call_record import CALL
from fastmlp.kernels.language.records import LAYER, RUN
from fastmlp.kernels.plugins.activations import ACTIVATIONS
from tests.helpers.basics import INF, NAN, Array, needs_compiler
from tests.helpers.fences import fenced
from tests.helpers.models import random_weights
from tests.helpers.processes import run

pytestmark = needs_compiler

_rng = np.random.default_rng(0)
ROWS = _rng.normal(size=(300, 7)) * [1, 9, 0.1, 5, 20, 1, 2] + 3
CLASSES = _rng.integers(3, size=300)
NUMBERS = ROWS[:, 0] - 3.0 * ROWS[:, 1] + 1e3

TARGETS: dict[str, tuple[Any, Array]] = {
    "classes": ("softmax_cross_entropy", CLASSES),
    "pair": ("binary_cross_entropy", np.array(["no", "yes"])[CLASSES % 2]),
    "labels": ("binary_cross_entropy", np.eye(3)[CLASSES].astype(int)),
    "squared error": ("squared_error", NUMBERS),
    "columns": ("squared_error", np.stack([NUMBERS, 5 * NUMBERS], axis=1)),
    "absolute error": ("absolute_error", NUMBERS),
    "huber": ("huber", NUMBERS),
    "quantile": ("quantile", NUMBERS),
    "quantiles": (losses.Quantile((0.1, 0.5, 0.9)), NUMBERS),
    "counts": ("poisson", CLASSES),
}
SCALINGS = [
    None, 0.01, [1, 2, 0.5, 1, 0.1, 1, 1], "standard", "robust", "piecewise", "quantile", "max_abs",
]  # fmt: skip
HIDDEN = [(), 9, (40, 33)]
KINDS = ["float64", "float32", "int64", "int32", "uint8", "bool"]


@numba.njit(nogil=True)
def called(predict: Any, x: Array) -> Any:
    return predict(x)


@numba.njit(nogil=True)
def called_into(predict: Any, x: Array, out: Array) -> Any:
    return predict(x, out=out)


def fitted(target: str = "classes", **options: Any) -> Trainer:
    loss, Y = TARGETS[target]
    settings = {"hidden": 9, "epochs": 2, "seed": 0, "loss": loss, "learning_rate": 1e-7, **options}
    return Trainer(**settings).fit(ROWS, Y)


def given(*sizes: int, **options: Any) -> Trainer:
    trainer = Trainer(**{"loss": "squared_error" if sizes[-1] == 1 else "auto", **options})
    trainer.set_weights(random_weights(*sizes))
    return trainer


def wanted(trainer: Trainer, X: Array) -> Array:
    """The predictions from Python, a row of the result for each row."""
    is_numeric = trainer.model_.encoding.outputs.loss.is_numeric
    predictions = trainer.predict(X) if is_numeric else trainer.predict_proba(X)
    return np.asarray(predictions).reshape(len(X), -1)


def assert_same(trainer: Trainer, X: Array) -> None:
    predict, right = trainer.compiled(), wanted(trainer, X)
    for got in (called(predict, X), predict(X)):
        np.testing.assert_array_equal(got, right, strict=True)
    for row in (0, len(X) - 1):
        np.testing.assert_array_equal(called(predict, X[row]), right[row], strict=True)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("scaling", SCALINGS, ids=str)
@pytest.mark.parametrize("hidden", HIDDEN, ids=str)
@pytest.mark.parametrize("target", TARGETS)
def test_same_numbers(target: str, hidden: Any, scaling: Any, dtype: str) -> None:
    assert_same(fitted(target, hidden=hidden, scaling=scaling, dtype=dtype), ROWS)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_activations(activation: str, dtype: str) -> None:
    trainer = given(7, 31, 17, 3, activation=activation, dtype=dtype)
    assert_same(trainer, ROWS)
    assert_same(trainer, ROWS * 100)


def rows_of(kind: str) -> Array:
    """Rows of numbers that the kind can hold, not all of which float32 can."""
    X = np.abs(ROWS).clip(0, 255).astype(kind)
    if kind == "int64":
        X[0] = (1 << 53) + 1, (1 << 24) + 1, -5, -(1 << 60) - 1, 7, 0, 16_777_217
    return X


def unaligned(X: Array) -> Array:
    raw = np.frombuffer(b"0" + X.tobytes(), np.uint8)[1:]
    return raw.view(X.dtype).reshape(X.shape)


@pytest.mark.parametrize("scaling", [None, 0.1, "robust", "quantile"], ids=str)
@pytest.mark.parametrize("kind", KINDS)
def test_kinds_and_strides(kind: str, scaling: Any) -> None:
    trainer, X = fitted(scaling=scaling), rows_of(kind)
    predict, wide = trainer.compiled(), np.repeat(X, 2, axis=1)
    first = np.broadcast_to(X[1], X.shape)
    views = X, X[::-3], wide[:, ::2], X[:, ::-1], np.asfortranarray(X), first, unaligned(X)
    for view in views:
        right = wanted(trainer, view)
        np.testing.assert_array_equal(predict(view), right, strict=True)
        np.testing.assert_array_equal(predict(view[1]), right[1], strict=True)


@pytest.mark.costly
@pytest.mark.parametrize("kind", ["uint8", "bool", "int32", "int64", "float32", "float64"])
def test_kinds_and_layouts_in_compiled_code(kind: str) -> None:
    trainer, X = fitted(scaling=None), rows_of(kind)
    X.flags.writeable = False
    views = [X, unaligned(X)]
    if kind in ("uint8", "float64"):  # the steps do not depend on it
        views += [X[::-3], np.asfortranarray(X)]
    for view in views:
        assert_same(trainer, view)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_quantiles_that_are_equal(dtype: str) -> None:
    """Values at, between and beyond the points, as ``np.interp`` has it."""
    points = np.array([[0, 0, 2], [0, 1, 2], [1, 1, 2], [1, 1, 2], [1, 4, 3]], float)
    levels = np.array([[-2, -3, 0], [-1, -1, 0], [0, 0.5, 0], [0.3, 0.7, 0], [2, 3, 0]], float)
    for k in (1, 2, 5):
        known = Scaling("quantile", points=points[-k:], levels=levels[-k:])
        trainer = Trainer(dtype=dtype)
        trainer.set_weights(random_weights(3, 4, 2), scaling=known)
        X = np.stack(np.meshgrid(*[np.linspace(-1, 5, 25)] * 3), axis=-1).reshape(-1, 3)
        assert_same(trainer, X)


@pytest.mark.parametrize("scaling", ["standard", "robust", "piecewise", "quantile", "max_abs"])
def test_large_values(scaling: str) -> None:
    """They are finite: those that scaling lets through may overflow, as in predictions."""
    trainer = fitted(scaling=scaling)
    X = ROWS[:8].copy()
    X[3, 2], X[5, 1] = 1e30, -1e300
    if scaling in ("standard", "max_abs"):
        X[5, 1] = -1e30
    assert_same(trainer, X)


@pytest.mark.parametrize("n", [1, 2, 7, 8, 9, 15, 16, 17, 33, 257])
@pytest.mark.parametrize("sizes", [(1, 1), (33, 2), (2, 9, 1, 31), (130, 127, 33)], ids=str)
def test_ragged_sizes(sizes: tuple[int, ...], n: int) -> None:
    for dtype in ("float32", "float64"):
        X = np.random.default_rng(1).normal(size=(n, sizes[0])).astype(dtype)
        assert_same(given(*sizes, dtype=dtype), X)


def test_no_rows() -> None:
    predict = fitted().compiled()
    assert called(predict, ROWS[:0]).shape == predict(ROWS[:0]).shape == (0, 3)
    for out in (np.empty((0, 3), np.float32), np.empty((9, 6), np.float32)[:0, ::2]):
        assert called_into(predict, ROWS[:0], out).shape == predict(ROWS[:0], out).shape == (0, 3)


@pytest.mark.parametrize("sizes", [(6000, 4000, 2), (3, 5, 1500), (9000, 3)], ids=str)
def test_networks_that_need_more_than_the_stack(sizes: tuple[int, ...]) -> None:
    trainer = given(*sizes)
    X = np.random.default_rng(1).normal(size=(20, sizes[0])).astype(np.float32)
    predict, right = trainer.compiled(), wanted(trainer, X)
    record = (ctypes.c_byte * CALL.itemsize).from_address(predict.network)
    assert np.frombuffer(record, CALL)["heap"] > STACK
    np.testing.assert_array_equal(called(predict, X), right)
    np.testing.assert_array_equal(called(predict, X[3]), right[3])


# -------------------------------------------------------------------------------------- bad numbers


@pytest.mark.parametrize("scaling", SCALINGS, ids=str)
@pytest.mark.parametrize("target", TARGETS)
def test_rows_that_are_not_finite(target: str, scaling: Any) -> None:
    trainer = fitted(target, scaling=scaling)
    predict, right = trainer.compiled(), wanted(trainer, ROWS[:40])
    for value in (NAN, INF, -INF):
        X = ROWS[:40].copy()
        X[3, 0], X[20, 6], X[39, 3] = value, value, value
        got = called(predict, X)
        assert np.isnan(got[[3, 20, 39]]).all()
        others = np.delete(np.arange(40), [3, 20, 39])
        np.testing.assert_array_equal(got[others], right[others])
        assert np.isnan(called(predict, X[3])).all()


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_activations_of_rows_that_are_not_finite(activation: str) -> None:
    trainer = given(7, 31, 17, 3, activation=activation)
    predict = trainer.compiled()
    for value in (NAN, INF, -INF, 1e300, -1e300):  # the last ones overflow float32
        for column in range(7):
            x = ROWS[0].copy()
            x[column] = value
            assert np.isnan(called(predict, x)).all()


def test_errors_in_compiled_code() -> None:
    predict = fitted().compiled()
    with pytest.raises(ValueError, match=r"features of x: got, wanted', 5, 7"):
        called(predict, ROWS[:, :5])
    with pytest.raises(ValueError, match=r"features of x: got, wanted', 8, 7"):
        called(predict, np.zeros(8))
    wrong = np.empty((300, 2), np.float32), np.empty((299, 3), np.float32)
    for out in wrong:
        with pytest.raises(ValueError, match="shape of out: got, wanted"):
            called_into(predict, ROWS, out)
    with pytest.raises(ValueError, match="out must be C-contiguous"):
        called_into(predict, ROWS, np.empty((300, 6), np.float32)[:, ::2])
    for x in (ROWS.astype(np.float16), ROWS.astype(complex), np.zeros((2, 3, 7)), [1.0] * 7, 3.0):
        with pytest.raises(numba.TypingError, match="x must"):
            called(predict, x)
    outs = np.empty((300, 3)), np.empty(3, np.float32), np.empty((3, 300), np.float32).T
    for out in outs:
        with pytest.raises(numba.TypingError, match=r"out must be array\(float32, 2d, C\); got"):
            called_into(predict, ROWS, out)
    with pytest.raises(numba.TypingError, match="out must be an array or None; got"):
        called_into(predict, ROWS, 3)


def test_errors_in_python() -> None:
    predict = fitted().compiled()
    for x, kind, message in (
        (ROWS[:, :5], ValueError, r"x must have the shape \(7,\) or \(n, 7\); got \(300, 5\)"),
        (np.zeros((2, 3, 7)), ValueError, "x must have the shape"),
        (ROWS.astype(np.float16), TypeError, "x must have one of the dtypes .*; got float16"),
        (ROWS.astype(">f8"), TypeError, "x must have one of the dtypes .*; got >f8"),
        (["a"] * 7, TypeError, "x must have one of the dtypes"),
    ):
        with pytest.raises(kind, match=message):
            predict(x)
    for out, kind, message in (
        (np.empty((300, 3)), TypeError, "out must be an array of float32; got float64"),
        ([0.0], TypeError, "out must be an array of float32; got list"),
        (np.empty((300, 2), np.float32), ValueError, r"of shape \(300, 3\); got \(300, 2\)"),
        (np.empty((3, 300), np.float32).T, ValueError, "in C order"),
    ):
        with pytest.raises(kind, match=message):
            predict(ROWS, out)


@pytest.mark.filterwarnings("ignore")  # that three epochs are few
def test_estimators() -> None:
    for labels in (CLASSES, CLASSES % 2):
        classifier = MLPClassifier((9,), max_iter=3, random_state=0).fit(ROWS, labels)
        got = called(classifier.trainer_.compiled(), ROWS)
        np.testing.assert_array_equal(got, classifier.predict_proba(ROWS))
    regressor = MLPRegressor(hidden_layer_sizes=(9,), max_iter=3, random_state=0).fit(ROWS, NUMBERS)
    got = called(regressor.trainer_.compiled(), ROWS)
    np.testing.assert_array_equal(got[:, 0], regressor.predict(ROWS))


def test_it_does_not_change() -> None:
    predict = fitted().compiled()
    with pytest.raises(AttributeError, match="does not change; got network=3"):
        predict.network = 3
    with pytest.raises(AttributeError, match="does not change; got del network"):
        del predict.network


def test_networks_that_are_refused() -> None:
    import pandas as pd

    with pytest.raises(NotFittedError):
        Trainer().compiled()
    table = pd.DataFrame({"a": ROWS[:, 0], "b": pd.Categorical(np.array(["x", "y"])[CLASSES % 2])})
    options: dict[str, Any] = {"hidden": 4, "epochs": 1, "seed": 0}
    with pytest.raises(ValueError, match="got categories"):
        Trainer(**options).fit(table, CLASSES).compiled()
    gaps = ROWS.copy()
    gaps[::9, 2] = NAN
    with pytest.raises(ValueError, match="got missing='impute'"):
        Trainer(missing="impute", **options).fit(gaps, CLASSES).compiled()


# ------------------------------------------------------------------------------- results and memory


def test_given_results() -> None:
    trainer = fitted()
    predict, right = trainer.compiled(), wanted(trainer, ROWS)
    for call in (called_into, lambda predict, x, out: predict(x, out=out)):
        out = np.full((300, 3), NAN, np.float32)
        assert np.array_equal(call(predict, ROWS, out), right)
        assert np.array_equal(out, right)
        assert call(predict, ROWS[2], out[7]).tolist() == right[2].tolist() == out[7].tolist()
    assert predict(ROWS, out) is out
    one = np.empty((9, 8), np.float32)[:1, :3]  # with another step from row to row
    assert np.array_equal(called_into(predict, ROWS[:1], one), right[:1])


@pytest.mark.skipif(sys.platform == "win32", reason="pages are protected by mprotect")
@pytest.mark.parametrize("place", ["start", "end"])
@pytest.mark.parametrize("target", ["classes", "pair", "columns"])
def test_nothing_beside_the_arrays_is_touched(target: str, place: str) -> None:
    trainer = fitted(target)
    predict = trainer.compiled()
    for kind in ("float64", "uint8"):
        x = fenced(300 * 7, kind, place).reshape(300, 7)
        x[...] = np.abs(ROWS).clip(0, 255).astype(kind)
        out = fenced(300 * predict.n_columns, predict.dtype, place).reshape(300, -1)
        given = x.copy()
        predict(x, out)
        np.testing.assert_array_equal(out, wanted(trainer, given))
        np.testing.assert_array_equal(x, given)
        row = -1 if place == "end" else 0
        predict(x[row], out[row])


@pytest.mark.skipif(sys.platform == "win32", reason="pages are protected by mprotect")
@pytest.mark.parametrize("place", ["start", "end"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("scaling", [None, "standard", "piecewise", "quantile"])
@pytest.mark.parametrize("target", ["classes", "pair", "quantiles"])
def test_the_memory_of_a_call_has_room(target: str, scaling: Any, dtype: str, place: str) -> None:
    """What ``call_network`` does, in memory whose ``place`` is at a page that is not mapped."""
    for hidden in HIDDEN:
        trainer = fitted(target, hidden=hidden, scaling=scaling, dtype=dtype)
        predict = trainer.compiled()
        known = np.frombuffer((ctypes.c_byte * CALL.itemsize).from_address(predict.network), CALL)
        records, start = int(known["records"][0]), int(known["layers"][0])
        block = fenced(int(known["stack"][0]), np.uint8, place)
        block[records:] = 0xFF  # NaN
        block[:records] = (ctypes.c_ubyte * records).from_address(predict.network)
        address, out = block.ctypes.data, np.empty((300, predict.n_columns))
        call, layers = block[: CALL.itemsize].view(CALL), block[start:records].view(LAYER)
        run = block[int(known["run"][0]) : start].view(RUN)
        call["row_step"], call["column_step"], call["as_float64"] = *ROWS.strides, 1
        run["call"], run["input"], run["predictions"] = address, ROWS.ctypes.data, out.ctypes.data
        run["n_rows"], run["last"], run["layers"] = 300, -(-300 // run["chunk"]), address + start
        distance = (address + call["scratch"] - call["memory"]) // call["itemsize"]
        distance -= call["scratch_start"]
        for name in ("logits", "copy", "partial", "places", "row_sums"):
            run[name] += distance
        layers["outputs"][0] = run["copy"][0]
        layers["below"][1:] += address + start
        layers["activations"][1:] += distance
        backend.outcome(int(call["predict"][0]), int(call["memory"][0]), run.ctypes.data, 0)
        np.testing.assert_array_equal(out, wanted(trainer, ROWS))


@numba.njit
def _sum_of_many(predict: Any, X: Array, out: Array) -> float:
    total = 0.0
    for i in range(len(X)):
        total += predict(X[i], out)[0]
    return total


def test_nothing_is_allocated_for_a_given_result() -> None:
    code = """
import os
os.environ["NUMBA_NRT_STATS"] = "1"
import numpy as np
from numba.core.runtime import rtsys
from tests.inference.test_compiled import ROWS, _sum_of_many, fitted
predict, out = fitted().compiled(), np.empty(3, np.float32)
_sum_of_many(predict, ROWS, out)
before = rtsys.get_allocation_stats()
_sum_of_many(predict, ROWS, out)
after = rtsys.get_allocation_stats()
# The three arguments.
print(after.alloc - before.alloc, after.mi_alloc - after.mi_free)
"""
    assert run(code).split() == ["3", "0"]


def test_results_of_subnormal_arithmetic_stay() -> None:
    """A call treats subnormal numbers as zero, but its caller does not."""

    @numba.njit
    def around(predict: Any, x: Array, tiny: float) -> tuple[float, float]:
        before = tiny * 0.25
        predict(x)
        return before, tiny * 0.25

    tiny = np.finfo(np.float64).tiny
    assert around(fitted().compiled(), ROWS[0], tiny) == (tiny / 4, tiny / 4)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("scaling", [1e30, *(s for s in SCALINGS if isinstance(s, str))])
def test_tiny_values(scaling: Any, dtype: str) -> None:
    """Subnormal numbers in x count where scaling makes larger ones of them."""
    X = ROWS.astype(np.float32) * np.float32(1e-39)
    trainer = Trainer(9, epochs=2, seed=0, scaling=scaling, dtype=dtype).fit(X, CLASSES)
    assert np.ptp(wanted(trainer, X)) > 1e-3
    assert_same(trainer, X)


def test_tiny_results() -> None:
    trainer = Trainer((), loss="squared_error", dtype="float64")
    trainer.set_weights([np.ones((1, 1)), np.zeros(1)])
    network, encoding = trainer.model_.network, trainer.model_.encoding
    outputs = replace(encoding.outputs, spread=np.array([1e-20]))
    predict = CompiledPredictor(network, replace(encoding, outputs=outputs))
    X = 1e-295 * np.arange(50.0)[:, None]
    np.testing.assert_array_equal(called(predict, X), 1e-20 * X)


def test_references() -> None:
    predict = fitted().compiled()
    before = sys.getrefcount(predict)
    for _ in range(10):
        called(predict, ROWS)
    assert sys.getrefcount(predict) == before


# ------------------------------------------------------------------------------------ whose weights


def test_later_fits_change_nothing() -> None:
    trainer = fitted()
    predict, right = trainer.compiled(), wanted(trainer, ROWS)
    trainer.partial_fit(ROWS, CLASSES)
    trainer.set_weights([w + 1 for w in trainer.get_weights()])
    assert not np.array_equal(wanted(trainer, ROWS), right)
    assert np.array_equal(called(trainer.compiled(), ROWS), wanted(trainer, ROWS))
    trainer.fit(ROWS[:, :4], CLASSES)
    assert np.array_equal(called(predict, ROWS), right)
    del trainer
    _fill_memory()
    assert np.array_equal(called(predict, ROWS), right)


def _fill_memory() -> None:
    """Free what nothing refers to, and write over it."""
    gc.collect()
    junk = [np.full(size, NAN) for size in range(8, 4000, 8) for _ in range(4)]
    del junk


def test_a_function_outlives_its_constant() -> None:
    def made() -> tuple[Any, Array]:
        trainer = fitted()
        predict = trainer.compiled()
        function = numba.njit(lambda x: predict(x))
        right = wanted(trainer, ROWS)
        assert np.array_equal(function(ROWS), right)
        return function.overloads, right  # not the function itself, which has the constant

    overloads, right = made()
    _fill_memory()
    (compiled,) = overloads.values()
    assert np.array_equal(compiled.entry_point(ROWS), right)


def test_a_member_of_a_jitclass() -> None:
    trainer = fitted()
    predict, right = trainer.compiled(), wanted(trainer, ROWS)

    @numba.experimental.jitclass([("predict", predict.numba_type)])
    class Agent:
        def __init__(self, predict):  # type: ignore[no-untyped-def]
            self.predict = predict

        def act(self, x):  # type: ignore[no-untyped-def]
            return self.predict(x)

    agent = Agent(predict)  # type: ignore[no-untyped-call]
    before = sys.getrefcount(predict)
    copies = [agent.act(ROWS) for _ in range(3)]
    assert sys.getrefcount(predict) == before
    del predict, trainer
    _fill_memory()
    assert all(np.array_equal(got, right) for got in (*copies, agent.act(ROWS)))


def test_networks_of_a_tuple_and_a_list() -> None:
    trainers = [fitted(hidden=hidden) for hidden in HIDDEN]
    networks = [trainer.compiled() for trainer in trainers]
    assert len({predict.numba_type for predict in networks}) == 1

    @numba.njit
    def mean(networks: Any, x: Array) -> Any:
        total = networks[0](x)
        for index in range(1, len(networks)):
            total += networks[index](x)
        return total / len(networks)

    right = np.mean([wanted(trainer, ROWS) for trainer in trainers], axis=0)
    for several in (tuple(networks), numba.typed.List(networks)):
        np.testing.assert_allclose(mean(several, ROWS), right, rtol=1e-6)


def test_networks_that_are_returned() -> None:
    """To Python, from arguments, constants, generators and lists; also in objmode."""
    predict = fitted().compiled()
    right, items = predict(ROWS), numba.typed.List([predict, predict])

    @numba.njit
    def both(given: Any) -> Any:
        return given, predict

    @numba.njit
    def once(given: Any) -> Any:
        yield given

    @numba.njit
    def by_python(given: Any, x: Array) -> Array:
        with numba.objmode(result="float32[:, ::1]"):
            result = given(x)
        return result

    def turn() -> None:
        assert all(found is predict for found in (*both(predict), *once(predict), items[1]))
        assert np.array_equal(by_python(predict, ROWS), right)

    turn()
    before = sys.getrefcount(predict)
    for _ in range(5):
        turn()
    assert sys.getrefcount(predict) == before


@pytest.mark.parametrize("kind", ["float32", "float64"])
@pytest.mark.parametrize("target", ["pair", "quantiles"])
def test_copies_and_pickles(target: str, kind: str) -> None:
    trainer = fitted(target, scaling="piecewise", dtype=kind)
    predict = trainer.compiled()
    assert copy.copy(predict) is predict
    assert copy.deepcopy([predict])[0] is predict
    state = pickle.dumps(predict)
    assert str(predict.network).encode() not in state
    other = pickle.loads(state)
    assert other.network != predict.network
    assert other.numba_type is predict.numba_type
    assert repr(other) == repr(predict)
    np.testing.assert_array_equal(called(other, ROWS), wanted(trainer, ROWS))


def test_text() -> None:
    assert repr(fitted().compiled()) == "<CompiledPredictor: 7 features to 3 classes, float32>"
    several = repr(fitted("columns").compiled())
    assert several == "<CompiledPredictor: 7 features to 2 columns of numbers, float64>"


# ---------------------------------------------------------------------------- threads and processes


@numba.njit(parallel=True, nogil=True)
def called_in_parallel(predict: Any, X: Array, columns: int) -> Array:
    out = np.empty((len(X), columns), np.float32)
    for i in numba.prange(len(X)):
        predict(X[i], out[i])
    return out


@numba.njit(parallel=True)
def called_for_new_results(predict: Any, X: Array, columns: int) -> Array:
    out = np.empty((len(X), columns), np.float32)
    for i in numba.prange(len(X)):
        out[i] = predict(X[i])
    return out


@pytest.mark.threading
@pytest.mark.costly
@pytest.mark.parametrize("function", [called_in_parallel, called_for_new_results])
def test_parallel_loops(function: Any) -> None:
    trainer = fitted(scaling="robust")
    predict, right = trainer.compiled(), wanted(trainer, ROWS)
    for _ in range(20):
        assert np.array_equal(function(predict, ROWS, 3), right)


@pytest.mark.threading
def test_threads_at_once() -> None:
    """Networks of several sizes, on one stack each, while one of them is fitted again."""
    trainers = [fitted(hidden=hidden, scaling="quantile") for hidden in HIDDEN]
    jobs = [(trainer.compiled(), wanted(trainer, ROWS)) for trainer in trainers] * 8
    called(jobs[0][0], ROWS)
    stop = threading.Event()

    def fit() -> None:
        while not stop.is_set():
            trainers[0].fit(ROWS, CLASSES)

    def right(job: Any) -> bool:
        predict, wanted = job
        return all(np.array_equal(called(predict, ROWS), wanted) for _ in range(20))

    fits = threading.Thread(target=fit)
    fits.start()
    try:
        with ThreadPoolExecutor(4) as threads:
            assert all(threads.map(right, jobs))
    finally:
        stop.set()
        fits.join()


def test_a_small_stack() -> None:
    """As threads of macOS have, after a plan that takes what it may."""
    trainer = given(1000, 500, 10)
    predict = trainer.compiled()
    X = np.random.default_rng(0).normal(size=(50, 1000)).astype(np.float32)
    right, results = wanted(trainer, X), []
    called(predict, X)
    before = threading.stack_size(256 * 1024)
    try:
        thread = threading.Thread(target=lambda: results.append(called(predict, X)))
        thread.start()
        thread.join()
    finally:
        threading.stack_size(before)
    assert np.array_equal(results[0], right)


@pytest.mark.threading
@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_forked_child() -> None:
    code = """
import os, signal
import numpy as np
from tests.inference.test_compiled import ROWS, called, called_in_parallel, fitted, wanted
trainer = fitted()
predict, right = trainer.compiled(), wanted(trainer, ROWS)
function = called_in_parallel
assert np.array_equal(called(predict, ROWS), right)
process = os.fork()
if process == 0:
    status = 1
    try:
        signal.alarm(30)
        new = fitted("pair", seed=1)
        same = np.array_equal(called(predict, ROWS), right)
        status = not (same and np.array_equal(called(new.compiled(), ROWS), wanted(new, ROWS)))
    finally:
        os._exit(status)
print(os.waitpid(process, 0)[1])
"""
    assert run(code).split() == ["0"]


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="this system has no such signals")
def test_signal_handlers_that_call() -> None:
    trainer = fitted()
    predict, right = trainer.compiled(), wanted(trainer, ROWS)
    called(predict, ROWS)
    answers: list[bool] = []
    before = signal.signal(
        signal.SIGALRM, lambda *_: answers.append(np.array_equal(called(predict, ROWS), right))
    )
    try:
        signal.setitimer(signal.ITIMER_REAL, 1e-3, 1e-3)
        while len(answers) < 20:
            assert np.array_equal(called(predict, ROWS), right)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert all(answers)


PROGRAM = """
import sys
import warnings
import numba
import numpy as np
from fastmlp import Trainer

seed = int(sys.argv[1])
rng = np.random.default_rng(seed)
X, classes = rng.normal(size=(200, 3 + seed)), 2 + seed
trainer = Trainer(8 * seed)
sizes = [(3 + seed, 8 * seed), 8 * seed, (8 * seed, classes), classes]
trainer.set_weights([rng.normal(size=shape) for shape in sizes])
predict = trainer.compiled()

@numba.njit(cache=True)
def takes(predict, x):
    return predict(x)

@numba.njit(cache=True)
def knows(x):
    return predict(x)

@numba.njit(cache=True)
def calls_it(x):
    return knows(x)

right = trainer.predict_proba(X)
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    print(*(np.array_equal(got, right) for got in (takes(predict, X), knows(X), calls_it(X))))
print(sum(takes.stats.cache_hits.values()), sum(knows.stats.cache_hits.values()))
print(sum("Cannot cache" in str(one.message) for one in caught))
"""


def test_functions_kept_on_disk(tmp_path: Path) -> None:
    """An argument may be another network in another process; a constant is never kept."""
    program = tmp_path / "program.py"
    program.write_text(PROGRAM, encoding="utf-8")
    printed = [
        run(f"import sys, runpy; sys.argv[1:] = ['{seed}']; runpy.run_path({str(program)!r})")
        for seed in (1, 2)
    ]
    assert printed[0].split() == ["True"] * 3 + ["0", "0", "2"]
    assert printed[1].split() == ["True"] * 3 + ["1", "0", "2"]


@pytest.mark.full
def test_functions_kept_on_disk_by_another_version(tmp_path: Path) -> None:
    """They are not used: the fields that they read may have moved."""
    package = tmp_path / "fastmlp"
    shutil.copytree(Path(fastmlp.__file__).parent, package)
    program = tmp_path / "program.py"
    program.write_text(PROGRAM, encoding="utf-8")

    def hits() -> str:
        code = f"import runpy, sys; sys.argv[1:] = ['1']; sys.path.insert(0, {str(tmp_path)!r})"
        printed = run(f"{code}; runpy.run_path({str(program)!r})").split()
        assert printed[:3] == ["True"] * 3
        return printed[3]

    assert [hits(), hits()] == ["0", "1"]
    for name, before, after in (
        ("language/call_record.py", '"features", _I), ("columns"', '"columns", _I), ("features"'),
        ("runs/numba_type.py", "ENTRY, FEATURES, COLUMNS", "ENTRY, COLUMNS, FEATURES"),
    ):
        file = package / "kernels" / name
        source = file.read_text(encoding="utf-8")
        assert before in source
        file.write_text(source.replace(before, after), encoding="utf-8")
    assert hits() == "0"


# ----------------------------------------------------------------------------- callers of all kinds


def test_callbacks_of_c() -> None:
    predict = fitted("huber").compiled()

    @numba.cfunc("float64(float64)")
    def along_the_first(v: float) -> float:
        x = np.full(7, 2.0)
        x[0] = v
        return predict(x)[0]  # type: ignore[no-any-return]

    x = np.full(7, 2.0)
    for v in (-1.0, 0.5, 3.0):
        x[0] = v
        assert along_the_first.ctypes(v) == predict(x)[0]


def test_universal_functions() -> None:
    trainer = fitted()
    predict, right = trainer.compiled(), wanted(trainer, ROWS)

    @numba.guvectorize("(float64[:], float32[:], float32[:])", "(d),(c)->(c)")
    def probabilities(x: Array, like: Array, out: Array) -> None:
        predict(x, out)

    assert np.array_equal(probabilities(ROWS, np.zeros(3, np.float32)), right)


# ----------------------------------------------------------------------------------- functions of C


@pytest.mark.parametrize("target", ["classes", "pair", "columns"])
def test_the_function_of_c(target: str) -> None:
    trainer = fitted(target)
    predict, right = trainer.compiled(), wanted(trainer, ROWS)
    kinds = ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64, ctypes.c_void_p
    function = ctypes.CFUNCTYPE(ctypes.c_int, *kinds)(predict.address)
    out = np.full(right.shape, NAN)
    assert function(predict.network, ROWS.ctypes.data, len(ROWS), out.ctypes.data) == 0
    np.testing.assert_array_equal(out, right)


def test_functions_that_scipy_integrates() -> None:
    from scipy.integrate import nquad

    square = [[0, 1], [0, 2]]

    def checked(outputs: int) -> tuple[Any, float]:
        predict = given(2, 5, outputs, activation="tanh", dtype="float64").compiled()
        function = predict.low_level_callable()
        total, _ = nquad(function, square)
        by_python, _ = nquad(lambda *x: float(predict(np.array(x))[-1]), square)
        assert total == pytest.approx(by_python, rel=1e-12)
        return function, total

    for function, total in (checked(1), checked(2)):
        _fill_memory()
        assert nquad(function, square)[0] == total
        x = ctypes.pointer(ctypes.c_double())
        assert np.isnan(function.function(1, x, function.user_data))
    for target in ("classes", "labels", "columns", "quantiles"):
        with pytest.raises(ValueError, match=r"low_level_callable needs .*; got"):
            fitted(target).compiled().low_level_callable()
