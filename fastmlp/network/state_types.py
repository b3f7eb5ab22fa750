"""Types in the state of a trainer, as a file or a pickle may hold anything."""

import reprlib
from collections.abc import Callable, Set
from numbers import Integral, Real
from typing import Any

import numpy as np

from ..settings import SETTINGS, check_setting

State = dict[str, Any]
Test = Callable[[Any], bool]

_REASONS = (
    "", "epochs", "early_stopping", "time_budget", "callback", "interrupted", "exception",
)  # fmt: skip


def integer(value: Any) -> bool:
    """Whether a value is an integer >= 0."""
    return isinstance(value, Integral) and not isinstance(value, bool) and int(value) >= 0


def number(value: Any) -> bool:
    """Whether a value is a real number."""
    if type(value) is float:  # first, as histories are long
        return True
    return isinstance(value, Real) and not isinstance(value, bool)


def is_a(*kinds: type) -> Test:
    """A test whether a value is of one of these types."""
    return lambda value: type(value) in kinds


def optional(test: Test) -> Test:
    """A test that None passes, too."""
    return lambda value: value is None or test(value)


def each(kind: Any, test: Test) -> Test:
    """A test of a list or tuple and of each of its items."""
    return lambda value: isinstance(value, kind) and all(map(test, value))


def all_of(*kinds: type) -> Test:
    """A test of a long list, whose items must be of one of these types."""
    return lambda value: isinstance(value, list) and set(map(type, value)) <= set(kinds)


def row(kind: Any, *tests: Test) -> Test:
    """A test of a list or tuple of a fixed length."""

    def test(value: Any) -> bool:
        if not isinstance(value, kind) or len(value) != len(tests):
            return False
        return all(one(item) for one, item in zip(tests, value, strict=True))

    return test


def record(**tests: Test) -> Test:
    """A test of a dict with these keys, which raises an error that names a wrong one."""

    def test(value: Any) -> bool:
        if type(value) is not dict:
            return False
        _need(tests.keys(), value)
        if more := value.keys() - tests.keys():
            raise ValueError(f"it has an unknown part {min(map(repr, more)):.50}")
        for name, one in tests.items():
            if not one(value[name]):
                raise ValueError(f"its {name} is {reprlib.repr(value[name])}")
        return True

    return test


def _need(names: Set[str], value: dict[str, Any]) -> None:
    if missing := names - value.keys():
        raise ValueError(f"it lacks {', '.join(sorted(missing))}")


def array(n_dims: int, *dtypes: Any) -> Test:
    """A test of an array, of one of these dtypes if any are given."""

    def test(value: Any) -> bool:
        fits = isinstance(value, np.ndarray) and value.ndim == n_dims
        # Of any order of bytes, as a state may come from another machine.
        return fits and (not dtypes or value.dtype.newbyteorder("=") in dtypes)

    return test


_text, _flag = is_a(str), is_a(bool)
_weights = each(list, lambda value: isinstance(value, np.ndarray))  # also one of a memory map
_vector, _rows = array(1, np.float64), array(2, np.float64)
_network = record(
    dtype=_text, activations=each(tuple, _text), weights=_weights, rule=_text, updates=integer,
    state=each(list, _weights),
)  # fmt: skip


def _reason(value: Any) -> bool:
    return _text(value) and value in _REASONS


def _is_name(value: Any) -> bool:
    nested = type(value) is tuple and all(map(_is_name, value))
    return nested or type(value) in (str, int, float)


def _names(value: Any) -> bool:
    return array(1, object)(value) and all(map(_is_name, value))


def _auto(value: Any) -> bool:
    if type(value) is not dict or not value.keys() <= {*SETTINGS, "patience"}:
        return False
    for name in value.keys() - {"patience"}:
        check_setting(name, value[name])
    return optional(integer)(value.get("patience"))


_columns = record(
    n_given=integer,
    categories=each(list, row(list, integer, all_of(str, int, float, bool))),
    medians=optional(_vector),
    gaps=each(list, integer),
)
_scaling = record(
    kind=_text, reason=_text, factor=lambda value: number(value) or _vector(value),
    centre=optional(_vector), points=optional(_rows), levels=optional(_rows),
    bins=optional(record(ends=array(1, np.int64), slopes=_vector, offsets=_vector)),
)  # fmt: skip
_inputs = record(columns=_columns, names=optional(_names), scaling=_scaling)
_outputs = record(
    loss=is_a(dict), count=integer, classes=optional(array(1)), centre=_vector, spread=_vector,
    flat=_flag, label_smoothing=number, least_probability=number,
)  # fmt: skip
_model = record(
    network=_network,
    encoding=record(inputs=_inputs, outputs=_outputs, fitted=_flag),
    hidden=each(tuple, integer),
    random=optional(row(tuple, optional(integer), is_a(dict))),
    monitored=each(tuple, number),
    latest=optional(_network),
    average=optional(_network),
    averaged=integer,
    best=optional(row(tuple, row(tuple, _text, _text, _flag), integer, number)),
    best_network=optional(_network),
    rate=optional(number),
    split=optional(row(tuple, integer, integer, number, _text)),
    digest=integer,
    extremes=lambda value: (
        type(value) is dict and all(map(row(tuple, number, number), value.values()))
    ),
    mean_weight=row(tuple, integer, number),
)


def check_state(state: State) -> None:
    """Check the types in the state of a trainer, but not its settings and attributes of the user's.

    Whether all fits together is left to :func:`.saved_state.restored`.

    Raises
    ------
    TypeError, ValueError
        For a value of a wrong type, which the error names.
    """
    if not _state(state):
        raise ValueError("it is no dict")
    n_epochs = state["attributes"]["n_iter_"]
    for values in state["history"].values():
        if len(values) != n_epochs:
            raise ValueError(f"its history has {len(values)} epochs in place of {n_epochs}")


def check_file_state(state: State, trainer: type) -> None:
    """Check the state of a trainer in a file, of type ``trainer``: also its settings, and that no
    other attribute hides one of the class; raises as :func:`check_state`."""
    check_state(state)
    for name, value in state["attributes"].items():
        if name in SETTINGS:
            check_setting(name, value)
        elif name == "_requests":
            check_requests(value)
        elif hasattr(trainer, name):
            raise ValueError(f"its attribute {name!r} is none of a trainer's own")


def check_ensemble(values: State, ensemble: type) -> None:
    """Check the types in the values of an ensemble, but not in its trainers; raises as
    :func:`check_state`."""
    _ensemble(values)
    for name in values["attributes"]:
        if hasattr(ensemble, name) and name != "_requests":
            raise ValueError(f"its attribute {name!r} is none of an ensemble's own")
    check_requests(values["attributes"].get("_requests", {}))


def check_requests(value: Any) -> None:
    """Check the requests of metadata of an estimator, by method and argument."""
    of_method = is_a(str, bool, type(None))
    if type(value) is not dict or not all(
        type(own) is dict and all(map(of_method, own.values())) for own in value.values()
    ):
        raise ValueError(f"its _requests are {reprlib.repr(value)}")


def _attributes(value: Any) -> bool:
    wanted = {
        "n_iter_": integer, "best_epoch_": integer, "stop_reason_": _reason, "auto_": _auto,
        "stop_training": _flag,
    }  # fmt: skip
    if type(value) is not dict:
        return False
    _need({*SETTINGS, *wanted}, value)
    return record(**wanted)({name: value[name] for name in wanted})


def _history(value: Any) -> bool:
    if type(value) is not dict or not all(type(name) is str for name in value):
        return False
    return all(map(each(list, number), value.values()))


_state = record(format=integer, attributes=_attributes, history=_history, model=optional(_model))
_ensemble = record(
    format=integer, attributes=is_a(dict), trainer=is_a(dict),
    members=lambda value: type(value) is list and len(value) > 0,
)  # fmt: skip
