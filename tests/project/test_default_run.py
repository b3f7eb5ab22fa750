"""The default run is small, but it takes everything that there is at least once."""

from collections.abc import Collection, Iterator
from types import CodeType
from typing import Any

import numpy as np
import pytest

import fastmlp
from fastmlp import Ensemble, Trainer, callbacks, presets
from fastmlp.kernels.plugins import losses
from fastmlp.kernels.plugins import update_rules as rules
from fastmlp.kernels.plugins.activations import ACTIVATIONS
from fastmlp.losses import LOSSES
from fastmlp.metrics import METRICS
from fastmlp.optimizers import OPTIMIZERS
from fastmlp.schedules import SCHEDULES
from fastmlp.settings import SETTINGS
from fastmlp.settings.checks import INITIALIZERS
from tests.conftest import COLLECTED
from tests.helpers.basics import needs_compiler
from tests.helpers.models import X, Y, trainer
from tests.helpers.processes import ROOT

# Entries of tables, and the test whose parameters name them all.
TABLES: dict[str, Collection[str]] = {
    "test_activations.py::test_panels": ACTIVATIONS,
    "test_training_activations.py::test_run": ACTIVATIONS,
    "test_losses.py::test_loss": losses.LOSSES,
    "test_losses.py::test_delta": losses.LOSSES,
    "test_rules.py::test_rule": rules.RULES,
    "test_training.py::test_run": rules.RULES,
    "test_metrics.py::test_metric": METRICS,
    "test_networks.py::test_activations": ACTIVATIONS,
    "test_outputs.py::test_losses": LOSSES,
    "test_settings.py::test_a_fit_leaves_settings_as_they_are": SETTINGS,
}
# What a process must survive.
CRASHES = {
    "forks": "test_forks.py::test_children",
    "signals that raise": "test_signals.py::test_a_handler_that_raises",
    "signals that work": "test_signals.py::test_a_handler_that_works",
    "the last signal": "test_signals.py::test_a_last_save",
    "interrupts": "test_random_interrupts.py::test_interrupts",
    "interrupted compilation": "test_object_cache.py::test_exceptions_of_others_in_mid_compilation",
    "exceptions in a first fit": "test_signals.py::test_an_exception_in_a_first_fit",
    "forks in a call": "test_undisturbed.py::test_a_fork_before_the_call_has_begun",
    "a damaged cache": "test_object_cache.py::test_damaged_files_do_no_harm_and_are_replaced",
    "a cache of several processes": "test_object_cache.py::test_many_processes_at_once",
    "no cache": "test_object_cache.py::test_where_nothing_can_be_kept",
    "another processor": "test_target.py::test_what_numba_is_told",
    "several threads": "test_contention.py::test_fits_and_predictions_at_once",
    "teams that change": "test_contention.py::test_slices_alone_and_together",
    "regions of others": "test_contention.py::test_beside_another_librarys_region",
    "nested regions": "test_team.py::test_inside_a_parallel_region",
    "steps out of bounds": "test_bounds.py::test_nothing_beside_the_operands_is_touched",
}


@pytest.fixture(scope="module")
def taken(request: pytest.FixtureRequest) -> dict[str, list[Any]]:
    """The cases of each test that the default run takes."""
    items = request.config.stash[COLLECTED]
    if {item.path for item in items} < set((ROOT / "tests").rglob("test_*.py")):
        pytest.skip("only some of the tests were collected")
    tests: dict[str, list[Any]] = {}
    for item in items:
        if not item.get_closest_marker("full"):
            tests.setdefault(f"{item.path.name}::{item.originalname}", []).append(item)
    return tests


def words(value: Any) -> Iterator[str]:
    """Names in a function or in a parameter of a test."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, CodeType):
        yield from value.co_names
        yield from words(value.co_consts)
    elif isinstance(value, dict):
        yield from words((*value, *value.values()))
    elif isinstance(value, (tuple, list, frozenset)):
        for one in value:
            yield from words(one)


def is_callback(kind: Any) -> bool:
    is_one = isinstance(kind, type) and issubclass(kind, callbacks.Callback)
    return is_one and kind is not callbacks.Callback


@pytest.mark.parametrize("test", TABLES)
def test_tables(test: str, taken: dict[str, list[Any]]) -> None:
    named = {word for case in taken[test] for word in words(case.callspec.params)}
    assert len({case.path for case in taken[test]}) == 1
    assert set(TABLES[test]) - named == set()


def test_crashes(taken: dict[str, list[Any]]) -> None:
    assert {kind: test for kind, test in CRASHES.items() if test not in taken} == {}


def test_public_functions(taken: dict[str, list[Any]]) -> None:
    """Each is named in the code of a test; so are methods and callbacks."""
    public = {*fastmlp.__all__} - {"__version__"}
    public |= {name for name in dir(presets) if name[0] != "_" and name != "Any"}
    public |= {kind.__name__ for kind in vars(callbacks).values() if is_callback(kind)}
    public |= {name for kind in (Trainer, Ensemble) for name in dir(kind) if name[0] != "_"}
    code = {case.function.__code__ for cases in taken.values() for case in cases}
    code -= {one for one in code if one.co_filename == __file__}
    assert public - {word for one in code for word in words(one)} == set()


# Settings with tables of values.
ENTRIES: dict[str, Collection[str]] = {
    "activation": ACTIVATIONS, "initializer": INITIALIZERS, "loss": LOSSES, "metrics": METRICS,
    "optimizer": OPTIMIZERS, "schedule": SCHEDULES,
}  # fmt: skip


@needs_compiler
@pytest.mark.parametrize("setting", ENTRIES)
def test_a_fit_with_each(setting: str) -> None:
    """It learns, and says the same as the next one."""
    for name in ENTRIES[setting]:
        is_numeric = setting == "metrics" and METRICS[name].takes == "numbers"
        loss = "squared_error" if is_numeric else "auto"
        options = {"loss": loss, "epochs": 5, setting: name}
        two, six = Y == 1, np.arange(60) % 6
        targets = {"binary_cross_entropy": two, "top_k": six}.get(name, Y)
        model, other = (trainer(**options).fit(X, targets) for _ in range(2))
        assert model.history["loss"][-1] < model.history["loss"][0], name
        assert (model.predict(X) == other.predict(X)).all()
        assert setting != "metrics" or name in model.history
