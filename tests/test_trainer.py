"""Trainer as its users see it: arguments, labels, records, bad input, odd shapes, divergence."""

import gc
import weakref
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from fastmlp import NotFittedError, Trainer
from fastmlp.kernels.language.jit import Kernel
from tests.helpers.basics import INF, NAN, Array, needs_compiler
from tests.helpers.models import X, Y, fitted, numbers, random_weights, same_weights, state, trainer

pytestmark = needs_compiler

# ------------------------------------------------------------------------------------ parameters


@pytest.mark.parametrize(
    ("hidden", "sizes"),
    [(5, (4, 5, 3)), ((), (4, 3)), ([6, 2], (4, 6, 2, 3)), (np.array([1, 9, 1]), (4, 1, 9, 1, 3))],
)
def test_hidden(hidden: Any, sizes: tuple[int, ...]) -> None:
    shapes = [w.shape for w in fitted(hidden).get_weights()]
    wanted: list[tuple[int, ...]] = []
    for n_in, n_out in pairwise(sizes):
        wanted += [(n_in, n_out), (n_out,)]
    assert shapes == wanted


def test_a_wrong_parameter_is_named() -> None:
    with pytest.raises(ValueError, match=r"optimizer must be one of 'sgd', .*; got 'lbfgs'"):
        Trainer(optimizer="lbfgs")
    with pytest.raises(TypeError, match=r"^Trainer\..* unexpected keyword argument 'momentum'"):
        Trainer(momentum=0.5)  # type: ignore[call-arg]
    with pytest.raises(TypeError):
        Trainer(8, 0.1)  # type: ignore[call-arg, arg-type]


def test_attributes_after_a_fit() -> None:
    model = trainer(epochs=4)
    assert model.fit(X, Y) is model
    assert model.classes_.tolist() == [0, 1, 2]
    assert model.n_features_in_ == 4
    assert model.n_iter_ == 4
    assert repr(model) == (
        "Trainer(hidden=8, learning_rate=0.01, epochs=4, batch_size=16, scaling=None, "
        "validation_split='last', seed=0)"
    )


def test_it_learns() -> None:
    model = fitted(epochs=50)
    assert model.score(X, Y) == 1
    assert model.history["loss"][-1] < 0.1 < model.history["loss"][0]
    assert np.array_equal(model.predict(X), Y)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_dtype(dtype: str) -> None:
    model = fitted(dtype=dtype)
    assert {w.dtype for w in model.get_weights()} == {np.dtype(dtype)}
    assert model.predict_proba(X).dtype == dtype


# ---------------------------------------------------------------------------------------- labels

LABELS: dict[str, Array] = {
    "strings": np.array(["nine", "zebra", "apple"]),
    "objects": np.array(["b", "a", "cc"], object),
    "booleans": np.array([True, False]),
    "signs": np.array([-1, 1]),
    "far apart": np.array([0, 10**9]),
    "beyond 32 bits": np.array([-(2**62), 5, 2**62]),
    "uint8": np.array([200, 3, 7], np.uint8),
    "whole floats": np.array([2.0, -7.0]),
}


@pytest.mark.parametrize("kind", LABELS)
def test_labels_round_trip(kind: str) -> None:
    values = LABELS[kind]
    labels = values[Y % len(values)]
    # One direction for each class, so that the network can tell them apart.
    rows = np.eye(len(values), dtype=np.float32)[Y % len(values)]
    model = trainer(epochs=60).fit(rows, labels)
    assert model.classes_.tolist() == sorted(values.tolist())
    predicted = model.predict(rows)
    assert predicted.dtype == labels.dtype
    assert predicted.tolist() == labels.tolist()
    assert model.predict_proba(rows).shape == (60, len(values))
    assert model.score(rows, labels) == 1


@pytest.mark.parametrize("kind", [np.float32, np.int64, np.uint8, bool])
def test_one_hot_rows(kind: Any) -> None:
    one_hot = np.eye(3)[Y].astype(kind)
    model = trainer().fit(X, one_hot)
    assert model.classes_.tolist() == [0, 1, 2]
    assert same_weights(model.get_weights(), fitted().get_weights())
    assert model.evaluate(X, one_hot) == model.evaluate(X, Y)


def test_a_column_of_labels() -> None:
    assert same_weights(trainer().fit(X, Y[:, None]).get_weights(), fitted().get_weights())


def test_labels_may_be_lists() -> None:
    model = trainer().fit(X.tolist(), Y.tolist())
    assert same_weights(model.get_weights(), fitted().get_weights())


# ------------------------------------------------------------------------- history and validation


def test_history() -> None:
    history = fitted(epochs=4).history
    assert list(history) == ["loss", "accuracy", "learning_rate", "seconds"]
    assert [len(values) for values in history.values()] == [4] * 4
    assert all(type(value) is float for values in history.values() for value in values)
    assert history["learning_rate"] == [0.01] * 4
    assert all(seconds > 0 for seconds in history["seconds"])
    assert "val_loss" not in history


def test_history_is_that_of_the_last_fit() -> None:
    model = trainer(epochs=2).fit(X, Y)
    first = numbers(model.history)
    model.seed = 1
    model.fit(X, Y)
    assert len(model.history["loss"]) == model.n_iter_ == 2
    assert numbers(model.history) != first


def test_history_with_validation() -> None:
    history = trainer(epochs=4, validation_fraction=0.25).fit(X, Y).history
    assert set(history) == {
        "loss", "accuracy", "val_loss", "val_accuracy", "learning_rate", "seconds",
    }  # fmt: skip
    assert {len(values) for values in history.values()} == {4}
    assert all(type(value) is float for values in history.values() for value in values)


def test_validation_fraction_takes_the_last_rows() -> None:
    split = trainer(validation_fraction=0.2).fit(X, Y)
    given = trainer().fit(X[:48], Y[:48], validation_data=(X[48:], Y[48:]))
    assert numbers(split.history) == numbers(given.history)
    assert same_weights(split.get_weights(), given.get_weights())


def test_validation_data_come_before_the_fraction() -> None:
    both = trainer(validation_fraction=0.5).fit(X, Y, validation_data=(X[:7], Y[:7]))
    given = trainer().fit(X, Y, validation_data=(X[:7], Y[:7]))
    assert numbers(both.history) == numbers(given.history)


def test_validation_does_not_change_the_training() -> None:
    model = trainer().fit(X, Y, validation_data=(X[:7], Y[:7]))
    assert same_weights(model.get_weights(), fitted().get_weights())
    assert model.history["loss"] == fitted().history["loss"]


def test_a_class_that_only_the_last_rows_have() -> None:
    labels = np.arange(60) // 50
    model = trainer(validation_fraction=0.1).fit(X, labels)
    assert model.classes_.tolist() == [0, 1]


class BrokenError(Exception):
    pass


def test_not_fitted() -> None:
    model = trainer()
    calls: list[Callable[[], Any]] = [
        lambda: model.predict(X),
        lambda: model.predict_proba(X),
        lambda: model.evaluate(X, Y),
        lambda: model.score(X, Y),
        model.get_weights,
        lambda: model.classes_,
        lambda: model.n_features_in_,
    ]
    for call in calls:
        with pytest.raises(NotFittedError, match="call fit or set_weights first"):
            call()
    assert not hasattr(model, "classes_")
    assert len(model.history) == model.n_iter_ == 0


# ------------------------------------------------------------------------------------- bad input


def changed(array: Array, value: Any, *index: int) -> Array:
    array = np.array(array, np.float64)
    array[index] = value
    return array


# What is wrong with rows for a network of four features in float32, and what follows the name of
# the argument in the message.
BAD_ROWS: dict[str, tuple[Any, type[Exception], str]] = {
    "nan": (
        changed(X, NAN, 7, 2),
        ValueError,
        r"\[7, 2\] is missing; there are gaps in 2: fit with ",
    ),
    "inf": (changed(X, INF, 0, 0), ValueError, r"\[0, 0\] is inf; it must be finite"),
    "-inf": (changed(X, -INF, 59, 3), ValueError, r"\[59, 3\] is -inf; it must be finite"),
    "overflow": (changed(X, 1e39, 5, 1), ValueError, r"\[5, 1\] is 1e\+39; .* finite in float32"),
    "no rows": (X[:0], ValueError, r" must be 2-D and not empty; got shape \(0, 4\)"),
    "no features": (X[:, :0], ValueError, r" must be 2-D and not empty; got shape \(60, 0\)"),
    "1-D": (X[:, 0], ValueError, r" must be 2-D and not empty; got shape \(60,\)"),
    "3-D": (X[:, :, None], ValueError, r" must be 2-D and not empty; got shape \(60, 4, 1\)"),
    "text": (X.astype(str), TypeError, " must hold real numbers; got dtype <U"),
    "complex": (X.astype(complex), TypeError, " must hold real numbers; got dtype complex128"),
    "ragged": ([[1, 2, 3, 4], [1]], ValueError, " cannot be read as one array"),
    "none": (None, TypeError, " must be .* got NoneType"),
}
FEWER_FEATURES = (X[:, :3], ValueError, " must have 4 features; got 3")

# The same of labels, in any fit.
BAD_LABELS: dict[str, tuple[Any, type[Exception], str]] = {
    "nan": (changed(Y, NAN, 4), ValueError, r"\[4\] is nan; it must be finite"),
    "inf": (changed(Y, INF, 4), ValueError, r"\[4\] is inf; it must be finite"),
    "-inf": (changed(Y, -INF, 4), ValueError, r"\[4\] is -inf; it must be finite"),
    "too few": (Y[:-1], ValueError, " has 59 rows, but X has 60"),
    "too many": (np.arange(61) % 3, ValueError, " has 61 rows, but X has 60"),
    "none at all": (Y[:0], ValueError, " has 0 rows, but X has 60"),
    "3-D": (Y[:, None, None], ValueError, r" must be a label .* or columns .* \(60, 1, 1\)"),
    "missing": ([None, *Y[1:].tolist()], ValueError, r"\[0\] is missing \(None\): drop the rows"),
    "mixed": (["a", *Y[1:].tolist()], TypeError, " must be .* all strings.*; got int, str"),
}

# The same where the classes 0, 1, 2 are known.
UNKNOWN_LABELS: dict[str, tuple[Any, str]] = {
    "unseen": (Y + 1, "unseen labels 3; the known classes are 0, 1, 2"),
    "negative": (Y - 1, "unseen labels -1; the known classes are 0, 1, 2"),
    "strings": (Y.astype(str), "unseen labels '0', '1', '2'; the known classes are 0, 1, 2"),
    "far": (changed(Y, 1e300, 3), r"unseen labels 1e\+300; the known classes are 0, 1, 2"),
    "wide": (np.eye(4)[Y], "4 one-hot columns, not classes 0, 1, 2"),
}

# Numbers and labels for a network that was not trained on such.
OTHER_TARGETS: dict[str, tuple[Any, str]] = {
    "fractions": (Y / 2, "Y must hold class labels, which are whole numbers; got 0.5"),
    "two ones": (np.ones((60, 3)), r"Y\[0\] must be class probabilities, .* a sum of 1; got 1.0"),
}


def assert_rejected(
    call: Callable[[Trainer], Any], error: type[Exception], message: str, warm_start: bool = False
) -> None:
    """By a fitted trainer, which stays what it was."""
    model = fitted(warm_start=warm_start)
    before = state(model)
    with pytest.raises(error, match=f"^{message}"):
        call(model)
    assert state(model) == before


def assert_fit_rejects(
    rows: Any, labels: Any, error: type[Exception], message: str, **options: Any
) -> None:
    """By a fitted trainer, in a start afresh and a warm one; and by a new one, left unfitted."""

    def fit(model: Trainer) -> None:
        model.fit(rows, labels, **options)

    assert_rejected(fit, error, message)
    assert_rejected(fit, error, message, warm_start=True)
    new = trainer()
    with pytest.raises(error, match=f"^{message}"):
        fit(new)
    assert not hasattr(new, "classes_")
    assert len(new.history) == new.n_iter_ == 0


@pytest.mark.parametrize("kind", BAD_ROWS)
def test_bad_rows_to_fit(kind: str) -> None:
    rows, error, message = BAD_ROWS[kind]
    assert_fit_rejects(rows, Y, error, f"X{message}")
    assert_fit_rejects(X, Y, error, f"validation X{message}", validation_data=(rows, Y))


@pytest.mark.parametrize("bad", [*BAD_ROWS.values(), FEWER_FEATURES], ids=[*BAD_ROWS, "fewer"])
def test_bad_rows_after_a_fit(bad: Any) -> None:
    rows, error, message = bad
    calls: list[Callable[[Trainer], Any]] = [
        lambda model: model.predict(rows),
        lambda model: model.predict_proba(rows),
        lambda model: model.evaluate(rows, Y),
        lambda model: model.score(rows, Y),
    ]
    for call in calls:
        assert_rejected(call, error, f"X{message}")


def test_another_number_of_features() -> None:
    rows, error, message = FEWER_FEATURES
    assert_rejected(lambda model: model.fit(rows, Y), error, f"X{message}", warm_start=True)
    assert_fit_rejects(X, Y, error, f"validation X{message}", validation_data=(rows, Y))


@pytest.mark.parametrize("kind", BAD_LABELS)
def test_bad_labels(kind: str) -> None:
    labels, error, message = BAD_LABELS[kind]
    assert_fit_rejects(X, labels, error, f"Y{message}")
    assert_fit_rejects(X, Y, error, f"validation Y{message}", validation_data=(X, labels))
    assert_rejected(lambda model: model.partial_fit(X, labels), error, f"Y{message}")
    assert_rejected(lambda model: model.evaluate(X, labels), error, f"Y{message}")
    assert_rejected(lambda model: model.score(X, labels), error, f"Y{message}")


@pytest.mark.parametrize("kind", UNKNOWN_LABELS)
def test_unknown_labels(kind: str) -> None:
    labels, message = UNKNOWN_LABELS[kind]
    assert_rejected(lambda model: model.evaluate(X, labels), ValueError, f"Y has {message}")
    assert_rejected(lambda model: model.partial_fit(X, labels), ValueError, f"Y has {message}")
    assert_rejected(
        lambda model: model.fit(X, labels), ValueError, f"Y has {message}", warm_start=True
    )
    assert_fit_rejects(X, Y, ValueError, f"validation Y has {message}", validation_data=(X, labels))


@pytest.mark.parametrize("kind", OTHER_TARGETS)
def test_targets_of_another_kind(kind: str) -> None:
    targets, message = OTHER_TARGETS[kind]
    assert_rejected(lambda model: model.evaluate(X, targets), ValueError, message)
    assert_fit_rejects(X, Y, ValueError, f"validation {message}", validation_data=(X, targets))
    with pytest.raises(ValueError, match=message):
        trainer(loss="softmax_cross_entropy").fit(X, targets)


def test_fewer_than_two_classes() -> None:
    message = "Y holds one class only, 0: at least 2 are needed"
    assert_rejected(lambda model: model.fit(X, 0 * Y), ValueError, message)
    assert_rejected(lambda model: model.fit(X[:1], Y[:1]), ValueError, message)


@pytest.mark.parametrize("pair", [(X,), (X, Y, None, Y), X, 5, "XY"])
def test_validation_data_is_a_pair(pair: Any) -> None:
    message = r"validation_data must be \(X, Y\) or \(X, Y, sample_weight\)"
    assert_fit_rejects(X, Y, TypeError, message, validation_data=pair)


def test_a_validation_fraction_that_leaves_nothing() -> None:
    with pytest.raises(ValueError, match=r"^validation_fraction=0\.99 leaves 0 of 10 to train on"):
        trainer(validation_fraction=0.99).fit(X[:10], Y[:10])


# ----------------------------------------------------------------------- small and uneven numbers


@pytest.mark.parametrize("batch_size", [1, 7, 59, 60, 61, 10**9])
def test_any_batch_size_sees_every_row(batch_size: int) -> None:
    """With a learning rate of almost nothing, the loss of an epoch is that of all rows."""
    options = {"optimizer": "sgd", "learning_rate": 1e-12, "dtype": "float64"}
    model = fitted(batch_size=batch_size, epochs=2, **options)
    wanted = model.evaluate(X, Y)
    assert model.history["loss"] == pytest.approx([wanted["loss"]] * 2, rel=1e-9)
    assert model.history["accuracy"] == pytest.approx([wanted["accuracy"]] * 2, rel=1e-12)


def test_one_row_of_known_classes() -> None:
    model = trainer(epochs=100).fit(X[:1], np.eye(3)[:1])
    assert model.classes_.tolist() == [0, 1, 2]
    assert model.predict(X[:1]).tolist() == [0]


def test_two_rows_of_one_feature() -> None:
    model = trainer(1).fit([[0.0], [1.0]], [0, 1])
    assert model.predict_proba([[0.5]]).sum() == pytest.approx(1)


# ------------------------------------------------------------------------------------ divergence


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("hidden", [8, (16, 16, 16)])
def test_divergence_in_the_first_epoch(hidden: Any, dtype: str) -> None:
    scale = np.array(1e30 if dtype == "float32" else 1e250, dtype)
    options = {"optimizer": "sgd", "learning_rate": 1e6, "dtype": dtype}
    new = trainer(hidden, **options)
    with pytest.raises(FloatingPointError, match=r"diverged: .* epoch 1 with learning_rate=1"):
        new.fit(X * scale, Y)
    assert not hasattr(new, "classes_")

    model = trainer(hidden, warm_start=True, **options)
    given = [w.astype(dtype) for w in random_weights(4, *np.atleast_1d(hidden), 3)]
    model.set_weights(given)
    with pytest.raises(FloatingPointError, match="a smaller one, or features scaled"):
        model.fit(X * scale, Y)
    assert same_weights(model.get_weights(), given)
    assert len(model.history) == 0


def test_divergence_after_finite_epochs() -> None:
    finite: list[list[Array]] = []
    model = trainer(
        optimizer="sgd", learning_rate=1e6, epochs=100, seed=0,
        callbacks=lambda model, epoch, logs: finite.append(model.get_weights()),
    )  # fmt: skip
    with pytest.raises(FloatingPointError, match=r"diverged: .* in epoch \d+ with"):
        model.fit(X, Y)
    assert len(finite) == model.n_iter_ == len(model.history["loss"])
    if finite:
        assert same_weights(model.get_weights(), finite[-1])
        assert all(np.isfinite(w).all() for w in finite[-1])
        assert np.isfinite(model.history["loss"]).all()


def test_a_fit_after_divergence() -> None:
    model = fitted(optimizer="sgd", learning_rate=1e6, epochs=1, hidden=())
    before = state(model)
    with pytest.raises(FloatingPointError):
        model.fit(X * np.float32(1e30), Y)
    assert state(model) == before
    assert np.isfinite(model.predict_proba(X)).all()
    model.fit(X, Y)
    assert state(model)[0] == before[0]


@pytest.mark.threading
@pytest.mark.parametrize("threads", [1, 2])
def test_the_floating_point_mode_of_the_caller(threads: int) -> None:
    """Kernels may flush subnormal numbers, the code around them keeps them."""
    subnormal = np.full(1, 1e-40, np.float32)
    model = fitted(300, threads=threads)
    model.predict(X)
    assert (subnormal * np.float32(1) > 0).all()
    with pytest.raises(FloatingPointError):
        trainer(300, threads=threads, optimizer="sgd", learning_rate=1e300).fit(X, Y)
    assert (subnormal * np.float32(1) > 0).all()


# ----------------------------------------------------------------- the caller's arrays, as they are

INTEGERS = ["int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"]


def whole_numbers(kind: str) -> Array:
    return np.clip(np.rint(10 * np.abs(X)), 0, 100).astype(kind)


def unaligned(array: Array) -> Array:
    raw = np.empty(array.nbytes + 1, np.uint8)[1:]
    result = raw.view(array.dtype).reshape(array.shape)
    result[...] = array
    return result


LAYOUTS: dict[str, Callable[[], Array]] = {
    "float32": lambda: X,
    "float64": lambda: X + np.float64(1e-12),
    "float16": lambda: X.astype(np.float16),
    "F-order": lambda: np.asfortranarray(X),
    "every other row": lambda: X.repeat(2, axis=0)[::2],
    "every other column": lambda: X.repeat(2, axis=1)[:, ::2],
    "backwards": lambda: X[::-1, ::-1].copy()[::-1, ::-1],
    "one row repeated": lambda: np.broadcast_to(X[1], X.shape),
    "unaligned": lambda: unaligned(X),
    "big-endian": lambda: X.astype(">f4"),
    "big-endian float64": lambda: X.astype(">f8"),
    "bool": lambda: X > 1,
    "uint8 in F-order": lambda: np.asfortranarray(whole_numbers("uint8")),
    "unaligned int32": lambda: unaligned(whole_numbers("int32")),
    **{kind: lambda kind=kind: whole_numbers(kind) for kind in INTEGERS},  # type: ignore[misc]
}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts(layout: str, dtype: str) -> None:
    """Bitwise what the C-contiguous cast gives; and the input stays what it was."""
    rows = LAYOUTS[layout]()
    copy = rows.copy()
    rows.flags.writeable = False
    plain = np.ascontiguousarray(rows.astype(dtype))
    model, wanted = (
        trainer(dtype=dtype, validation_fraction=0.2).fit(given, Y) for given in (rows, plain)
    )
    assert same_weights(model.get_weights(), wanted.get_weights())
    assert numbers(model.history) == numbers(wanted.history)
    assert np.array_equal(model.predict_proba(rows), wanted.predict_proba(plain))
    assert model.evaluate(rows, Y) == wanted.evaluate(plain, Y)
    assert np.array_equal(rows, copy)


def test_layouts_share_their_kernels(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each kernel is compiled for two types at most, those of the weights."""
    linked: dict[Kernel, set[Any]] = {}
    address = Kernel.address

    def counted(kernel: Kernel, dtype: Any = None) -> int:
        linked.setdefault(kernel, set()).add(kernel.symbol(dtype))
        return address(kernel, dtype)

    monkeypatch.setattr(Kernel, "address", counted)
    for layout in LAYOUTS.values():
        for dtype in ("float32", "float64"):
            trainer(7, dtype=dtype, epochs=1).fit(layout(), Y).predict_proba(layout())
    assert len(linked) > 10
    assert max(map(len, linked.values())) == 2


@pytest.mark.parametrize("kind", ["float32", "float64", "uint8"])
def test_memory_mapped_rows(kind: str, tmp_path: Any) -> None:
    rows, path = (whole_numbers(kind) if kind == "uint8" else X.astype(kind)), tmp_path / "X.npy"
    np.save(path, rows)
    before = path.read_bytes()
    mapped = np.load(path, mmap_mode="r")
    model, wanted = trainer().fit(mapped, Y), trainer().fit(rows, Y)
    assert same_weights(model.get_weights(), wanted.get_weights())
    assert np.array_equal(model.predict_proba(mapped), wanted.predict_proba(rows))
    assert path.read_bytes() == before


def test_writeable_input_is_not_modified() -> None:
    for rows in (X.copy(), X.astype(np.float64), whole_numbers("uint8")):
        for labels in (Y.copy(), np.eye(3)[Y], Y.astype(float)):
            copies = rows.copy(), labels.copy()
            model = trainer(validation_fraction=0.2).fit(rows, labels)
            model.predict(rows)
            model.evaluate(rows, labels)
            assert np.array_equal(rows, copies[0])
            assert np.array_equal(labels, copies[1])


def test_nothing_keeps_the_rows_alive() -> None:
    model = fitted()
    for use in (
        lambda rows: model.predict(rows),
        lambda rows: model.evaluate(rows, Y),
        lambda rows: model.fit(rows, Y, validation_data=(rows, Y)),
    ):
        rows = X.copy()
        reference = weakref.ref(rows)
        use(rows)
        del rows
        gc.collect()
        assert reference() is None


def test_rows_of_a_larger_array_are_read_alone() -> None:
    """Neither what lies before or behind the rows nor beside them counts."""
    for hidden in ((), 8):
        around = np.full((64, 4), NAN, np.float32)
        around[2:62] = X
        model = trainer(hidden).fit(around[2:62], Y)
        wanted = trainer(hidden).fit(X, Y)
        assert same_weights(model.get_weights(), wanted.get_weights())
        assert np.array_equal(model.predict_proba(around[2:62]), wanted.predict_proba(X))


def blobs(n: int = 60) -> tuple[Any, Any]:
    labels = np.arange(n) % 3
    return np.random.default_rng(0).normal(size=(n, 5)) + labels[:, None], labels


@pytest.mark.parametrize("hidden", [(), 9])
def test_a_factor_multiplies_what_is_read(hidden: Any) -> None:
    rng = np.random.default_rng(0)
    images = rng.integers(256, size=(70, 33), dtype=np.uint8)
    labels = np.arange(70) % 3
    scaled = images.astype(np.float32) * np.float32(1 / 255)
    settings: dict[str, Any] = {"hidden": hidden, "epochs": 3, "seed": 0}
    bytes_read = Trainer(scaling=1 / 255, **settings).fit(images, labels)
    floats_read = Trainer(scaling=None, **settings).fit(scaled, labels)
    for got, wanted in zip(bytes_read.get_weights(), floats_read.get_weights(), strict=True):
        assert np.array_equal(got, wanted)
    assert np.array_equal(bytes_read.predict_proba(images), floats_read.predict_proba(scaled))
    assert bytes_read.evaluate(images, labels) == floats_read.evaluate(scaled, labels)


def test_output_that_is_not_finite_is_an_error() -> None:
    X, labels = blobs()
    trainer = Trainer(hidden=(8, 8), epochs=1, seed=0, scaling=None).fit(X, labels)
    trainer.set_weights([array * 1e10 for array in trainer.get_weights()])
    for call in (trainer.predict, trainer.predict_proba):
        with pytest.raises(FloatingPointError, match="not finite"):
            call(X * 1e30)
    with pytest.raises(FloatingPointError, match="not finite"):
        trainer.evaluate(X * 1e30, labels)
