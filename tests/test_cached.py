"""Attributes that are computed when they are first read."""

import ast
import threading
from pathlib import Path

import fastmlp
from fastmlp.cached import cached_property


def test_it_is_computed_once() -> None:
    calls: list[int] = []

    class Thing:
        @cached_property
        def value(self) -> int:
            calls.append(1)
            return len(calls)

    one, other = Thing(), Thing()
    assert (one.value, one.value, other.value, one.value) == (1, 1, 2, 1)


def test_threads_do_not_wait_for_each_other() -> None:
    together, values = threading.Barrier(2), []

    class Thing:
        @cached_property
        def value(self) -> int:
            return together.wait(timeout=60)

    threads = [threading.Thread(target=lambda: values.append(Thing().value)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(values) == [0, 1]


def test_the_package_uses_no_other() -> None:
    for file in Path(fastmlp.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module == "functools":
                assert "cached_property" not in [alias.name for alias in node.names], file
