"""Kernels that call kernels: compiled and linked with all that they call, however it is named."""

import inspect
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numba
import pytest
from numba import types

from fastmlp import Trainer
from fastmlp.kernels.language import backend, jit, object_cache
from fastmlp.kernels.language.jit import Kernel, c_function, kernel, kernel_of
from tests.helpers.basics import needs_compiler
from tests.helpers.processes import ROOT

pytestmark = needs_compiler

A_MODULE = ModuleType("a_module")
IN_THE_PACKAGE = "fastmlp.kernels.made_up"


def of(function: Any, name: str) -> Any:
    """A kernel of this name whose object code is kept as if it was one of the package."""
    function.__name__, function.__module__ = name, IN_THE_PACKAGE
    return kernel(function)


def by_name() -> tuple[Any, Any]:
    global called
    called = of(plus(1), "by_name_called")

    def caller(x: int) -> int:
        return 10 * called(x)

    return of(caller, "by_name_caller"), called


def by_closure() -> tuple[Any, Any]:
    enclosed = of(plus(2), "by_closure_called")

    def caller(x: int) -> int:
        return 10 * enclosed(x)

    return of(caller, "by_closure_caller"), enclosed


def by_attribute() -> tuple[Any, Any]:
    A_MODULE.called = of(plus(3), "by_attribute_called")  # type: ignore[attr-defined]

    def caller(x: int) -> int:
        return 10 * A_MODULE.called(x)

    return of(caller, "by_attribute_caller"), A_MODULE.called


def plus(number: int) -> Callable[[int], int]:
    def function(x: int) -> int:
        return x + number

    return function


@pytest.mark.parametrize("make", [by_name, by_closure, by_attribute])
def test_a_kernel_comes_with_what_it_calls(
    make: Callable[[], tuple[Any, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Compiled the first time; the second time, as in another process, loaded with it."""
    monkeypatch.setattr(object_cache, "_folder", lambda: tmp_path)
    number = [by_name, by_closure, by_attribute].index(make) + 1
    caller, called = map(kernel_of, make())
    assert backend.outcome(caller.address(), 5) == (0, 10 * (5 + number))
    names = {f"fastmlp_{one.name}" for one in (caller, called)}
    assert {file.name.partition(".")[0] for file in tmp_path.iterdir()} == names

    def fail(*arguments: Any) -> None:
        raise AssertionError("compiled again")

    monkeypatch.setattr(Kernel, "_compiled", fail)
    caller, called = map(kernel_of, make())
    assert backend.outcome(caller.address(), 5) == (0, 10 * (5 + number))
    assert list(called._addresses) == [None]

    # Without the file of what it calls, that is compiled anew.
    monkeypatch.undo()
    monkeypatch.setattr(object_cache, "_folder", lambda: tmp_path)
    (file,) = (file for file in tmp_path.iterdir() if called.name in file.name)
    file.unlink()
    caller, called = map(kernel_of, make())
    assert backend.outcome(caller.address(), 5) == (0, 10 * (5 + number))
    assert file.exists()


def test_kernels_of_others_may_have_the_same_name() -> None:
    """Each caller calls its own, in whatever order they are compiled."""
    called = [kernel(plus(number)) for number in range(3)]
    for one in called:
        kernel_of(one).address()

    def calling(number: int) -> Any:
        enclosed = called[number]

        def caller(x: int) -> int:
            return 10 * enclosed(x)

        return kernel(caller)

    callers = [calling(number) for number in range(3)]
    found = [backend.outcome(kernel_of(one).address(), 5)[1] for one in callers]
    assert found == [50, 60, 70]


def test_a_kernel_of_a_script() -> None:
    function = plus(7)
    function.__module__ = "__main__"
    assert backend.outcome(kernel_of(kernel(function)).address(), 5) == (0, 12)


def test_what_is_never_called_is_not_compiled() -> None:
    unused = kernel(plus(4))

    def caller(x: int) -> int:
        if False:
            return unused(x)
        return x

    assert backend.outcome(kernel_of(kernel(caller)).address(), 5) == (0, 5)
    assert not kernel_of(unused)._addresses


def test_a_symbol_that_nothing_has_is_an_error() -> None:
    """Of this process, not its end."""
    code = kernel_of(kernel(plus(5)))._compiled(None)
    assert backend.link(code)
    missing = code.code.replace(b"fastmlp", b"fastnlp")
    with pytest.raises(RuntimeError, match="ymbol"):
        backend.link(backend.ObjectCode("nothing", (), missing))


# ----------------------------------------------------------------------------- from outside of them


@pytest.fixture
def unchecked() -> Any:
    """The convention is checked anew, in this test and after it."""
    jit._check_convention.cache_clear()
    yield
    jit._check_convention.cache_clear()


# Functions that take their arguments, and leave their result, in other ways than Numba's do now.
NUMBER, POINTER = types.int64, types.CPointer(types.int64)


def returned(a: Any, b: Any, c: Any) -> Any:
    return a + 10 * b + 100 * c


def without_exception(result: Any, a: Any, b: Any, c: Any) -> Any:
    result[0] = a + 10 * b + 100 * c
    return 0


def exception_first(exception: Any, result: Any, a: Any, b: Any, c: Any) -> Any:
    result[0] = a + 10 * b + 100 * c
    return 0


def arguments_reversed(result: Any, exception: Any, c: Any, b: Any, a: Any) -> Any:
    result[0] = a + 10 * b + 100 * c
    return 0


def another_status(result: Any, exception: Any, a: Any, b: Any, c: Any) -> Any:
    result[0] = a + 10 * b + 100 * c
    return 1


def as_it_is(result: Any, exception: Any, a: Any, b: Any, c: Any) -> Any:
    result[0] = a + 10 * b + 100 * c
    return 0


def compiled(function: Any) -> int:
    """Address of a function of three numbers behind its pointers."""
    n_pointers = len(inspect.signature(function).parameters) - 3
    status = types.int32 if n_pointers else types.int64
    return int(numba.cfunc(status(*[POINTER] * n_pointers, *[NUMBER] * 3))(function).address)


def pretend(function: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    address = compiled(function)
    monkeypatch.setattr(kernel_of(jit._digits), "address", lambda: address)
    jit._check_convention.cache_clear()


@pytest.fixture(autouse=True)
def check_again() -> Iterator[None]:
    yield
    jit._check_convention.cache_clear()


def test_the_convention_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(as_it_is, monkeypatch)
    c_function(0, 3)
    monkeypatch.undo()
    jit._check_convention.cache_clear()
    c_function(0, 3)


@pytest.mark.parametrize(
    "wrong", [returned, without_exception, exception_first, arguments_reversed, another_status]
)
def test_with_another_convention_nothing_is_trained(
    wrong: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    pretend(wrong, monkeypatch)
    for _ in range(2):
        with pytest.raises(RuntimeError, match=r"^Numba \S+, llvmlite \S+ have another calling"):
            Trainer(hidden=3, epochs=1).fit([[0.0], [1.0]] * 20, [0, 1] * 20)


def test_the_versions_that_were_tried_are_told_once_more() -> None:
    assert f"versions up to {backend.TRIED};" in (ROOT / "pyproject.toml").read_text()
