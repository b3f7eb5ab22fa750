"""Teams of threads: no hang and no other result, however a ``prange`` runs its iterations."""

import ctypes
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba
import numpy as np
import pytest

import fastmlp
from fastmlp.kernels.language.jit import c_function, kernel_of
from fastmlp.kernels.language.records import run_at
from fastmlp.kernels.runs import launch, team
from fastmlp.kernels.runs.plan import Plan, make_plan
from tests.helpers.basics import needs_compiler

pytestmark = needs_compiler

# ---------------------------------------------------------------------------- joining and waiting


def open_team(n_threads: int) -> Plan:
    """Records of up to ``n_threads`` members, of whom none has come; some layers have panels."""
    plan = make_plan(
        (20, 600, 250, 5), np.dtype("float32"), chunk=4, batch_size=4, members=n_threads
    )
    counters = np.zeros(team.team_array_size(n_threads), np.int64)
    plan.runs["team"] = plan.table(counters)
    return plan


def join(plan: Plan) -> int:
    """The number that a member is given; called from several threads, so each has its result."""
    address, result = kernel_of(team.join).address(), ctypes.c_int64()
    kind = ctypes.CFUNCTYPE(ctypes.c_int32, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64)
    assert kind(address)(ctypes.addressof(result), None, plan.runs.ctypes.data) == 0
    return result.value


def barrier(plan: Plan, member: int) -> None:
    c_function(kernel_of(team.barrier).address(), 1)(plan.runs[member:].ctypes.data)


@numba.njit(nogil=True)
def take_turns(runs, member, size, rounds, values):
    """Add the other's value to one's own, round by round; right only if nobody runs ahead."""
    run = run_at(runs, member)
    for turn in range(rounds):
        read = values[turn % 2, (member + 1) % size]
        values[(turn + 1) % 2, member] = read + values[turn % 2, member]
        team.barrier(run)


def assert_shares(plan: Plan, size: int) -> None:
    """Every panel of every layer is that of one member."""
    assert (plan.runs["size"][:size] == size).all()
    for layer in plan.layers[:size].T:
        bounds = [*layer["first"], layer["last"][-1]]
        assert bounds == [0, *layer["last"]]
        assert bounds[-1] == layer["panels"][0]
        assert (np.diff(bounds) <= -(-layer["panels"][0] // size)).all()


def run_at_once(functions: list[Callable[[], Any]]) -> None:
    threads = [threading.Thread(target=function, daemon=True) for function in functions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
        assert not thread.is_alive(), "a barrier or a registration hangs"


def test_one_after_another() -> None:
    """The first waits a bounded time and goes on alone, the others have nothing to do."""
    plan = open_team(4)
    joined: list[int] = []

    def iterations() -> None:
        for _ in range(4):
            joined.append(join(plan))
            barrier(plan, 0)

    run_at_once([iterations])
    assert joined == [0, -1, -1, -1]
    assert_shares(plan, 1)


def test_a_team_of_one() -> None:
    plan = open_team(1)
    assert join(plan) == 0
    assert_shares(plan, 1)


@pytest.mark.parametrize("n_threads", [2, 3, 5])
def test_a_team_of_those_who_arrive(n_threads: int) -> None:
    """Members are numbered from 0 without gaps and share all panels; the others are sent off."""
    join(open_team(1))  # compiled before anyone waits
    for _ in range(20):
        plan, start = open_team(n_threads), threading.Barrier(n_threads)
        joined: list[int] = []

        def arrive(plan: Any = plan, start: Any = start, joined: Any = joined) -> None:
            start.wait()
            joined.append(join(plan))

        run_at_once([arrive] * n_threads)
        members = sorted(member for member in joined if member != -1)
        assert members == list(range(len(members)))
        assert len(members) >= 1
        assert len(joined) == n_threads
        assert_shares(plan, len(members))


@pytest.mark.parametrize("size", [2, 3, 5])
def test_barrier(size: int) -> None:
    rounds = 200
    plan, alone, values = open_team(size), open_team(1), np.ones((2, size))
    plan.runs["size"] = size
    barrier(alone, 0)  # linked, and what calls it compiled, before anyone waits
    take_turns(alone.runs.ctypes.data, 0, 1, 1, np.ones((2, 1)))
    values[1:] = 0
    run_at_once(
        [
            lambda member=member: take_turns(plan.runs.ctypes.data, member, size, rounds, values)
            for member in range(size)
        ]
    )
    # Each round doubles every value.
    assert (values[rounds % 2] == 2.0**rounds).all()


# ------------------------------------------------------------------------------------- the account


def wait_for_the_other(plan: Plan, balanced: int, credit: int) -> tuple[int, int]:
    """Let a member wait 0.03 s for the other; returns when it began and ended, at most.

    Its account held ``credit`` at the time ``balanced`` (of ``time.monotonic_ns``)."""
    plan.runs["size"], plan.runs["credit"], plan.runs["balanced_at"] = 2, credit, balanced
    counters = counters_of(plan)

    def come_late() -> None:
        while counters[team._MEMBERS] == 0:
            time.sleep(0.001)
        time.sleep(0.03)
        barrier(plan, 1)

    other = threading.Thread(target=come_late)
    other.start()
    start = time.monotonic_ns()
    barrier(plan, 0)
    end = time.monotonic_ns()
    other.join()
    return start, end


def disbands(plan: Plan) -> bool:
    return not team.stayed(counters_of(plan), 2)


def counters_of(plan: Plan) -> Any:
    """The counters of a team, of which all members count as present."""
    size = team.team_array_size(len(plan.runs))
    counters = np.ctypeslib.as_array(
        (ctypes.c_int64 * size).from_address(int(plan.runs["team"][0]))
    )
    counters[team._SIZE] = len(plan.runs)
    return counters


def test_waiting_is_paid_from_the_account() -> None:
    """Two members save the time of one, and lose that of two while one waits."""
    plan, credit = open_team(2), team._MOST_CREDIT
    before = time.monotonic_ns()
    start, end = wait_for_the_other(plan, before, credit)
    paid = credit - int(plan.runs["credit"][0])
    assert 0 < paid <= (end - start) - (start - before)
    assert before < plan.runs["balanced_at"][0] <= end
    assert not disbands(plan)


def test_a_team_disbands_when_the_account_is_overdrawn() -> None:
    plan = open_team(2)
    plan.runs["step"] = 7
    wait_for_the_other(plan, time.monotonic_ns() + 10**9, 0)
    assert plan.runs["credit"][0] < 0
    assert counters_of(plan)[team._DISBANDING] == 9
    assert disbands(plan)


def test_a_long_past_does_not_count() -> None:
    plan = open_team(2)
    wait_for_the_other(plan, time.monotonic_ns() - 10**12, 0)
    assert plan.runs["credit"][0] == team._MOST_CREDIT
    assert not disbands(plan)


# --------------------------------------------------------------------------------- whole processes

# Fits and predictions by several threads, compared bitwise with those by one thread, which start
# no parallel region. Three panels or more in a layer, so that several threads have work.
SCRIPT = """
import threading
import numba
from numba import types
import numpy as np
import fastmlp

rng = np.random.default_rng(0)
X, Y = rng.normal(size=(300, 20)).astype(np.float32), rng.integers(5, size=300)

def run(threads):
    trainer = fastmlp.Trainer((600, 250), optimizer="adam", batch_size=64, epochs=2, seed=1,
                              threads=threads).fit(X, Y)
    evaluated = np.array(list(trainer.evaluate(X, Y).values()))
    return [*trainer.get_weights(), trainer.predict_proba(X), evaluated]

def same(result):
    return all(map(np.array_equal, result, alone))

alone = run(threads=1)
"""

SCENARIOS = """
mask = numba.get_num_threads()
for threads in (2, 4, 8):
    assert same(run(threads)), threads
assert numba.get_num_threads() == mask

# Started by other threads, one of them and three at once.
for count in (1, 3):
    results = []
    others = [threading.Thread(target=lambda: results.append(run(4))) for _ in range(count)]
    for thread in others:
        thread.start()
    for thread in others:
        thread.join()
    assert len(results) == count and all(map(same, results))

numba.set_num_threads(1)
assert same(run(8))
assert numba.get_num_threads() == 1
"""

# A parallel region inside a parallel region, whose iterations one thread runs.
NESTED = """
@numba.njit(parallel=True)
def region(n):
    for i in numba.prange(n):
        with numba.objmode():
            results.append(run(4))

results = []
region(2)
assert len(results) == 2 and all(map(same, results))
"""

ONE_AFTER_ANOTHER = {"NUMBA_THREADING_LAYER": "omp", "OMP_THREAD_LIMIT": "1"}

SETTINGS = {
    "as it is": {},
    "one thread": {"NUMBA_NUM_THREADS": "1"},
    "more threads than processors": {"NUMBA_NUM_THREADS": "8"},
    "one after another": {"NUMBA_NUM_THREADS": "4", **ONE_AFTER_ANOTHER},
    "fewer than asked for": {
        "NUMBA_NUM_THREADS": "4", "NUMBA_THREADING_LAYER": "omp", "OMP_THREAD_LIMIT": "2",
    },
    "a number that changes": {
        "NUMBA_NUM_THREADS": "4", "NUMBA_THREADING_LAYER": "omp", "OMP_DYNAMIC": "true",
    },
    "workqueue": {"NUMBA_NUM_THREADS": "4", "NUMBA_THREADING_LAYER": "workqueue"},
}  # fmt: skip


def run_script(script: str, settings: dict[str, str]) -> None:
    path = [str(Path(fastmlp.__file__).parents[1]), os.environ.get("PYTHONPATH", "")]
    inherited = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("OMP_") and name != "NUMBA_NUM_THREADS"
    }
    result = subprocess.run(
        [sys.executable, "-W", "error", "-c", script],
        env={**inherited, **settings, "PYTHONPATH": os.pathsep.join(filter(None, path))},
        capture_output=True,
        text=True,
        timeout=120,
    )
    if "No threading layer could be loaded" in result.stderr:
        pytest.skip(f"Numba has no such threading layer here: {settings}")
    assert result.returncode == 0, result.stderr


@pytest.mark.costly
@pytest.mark.parametrize(
    "setting",
    [
        pytest.param(name, marks=() if "NUMBA_THREADING_LAYER" in told else pytest.mark.threading)
        for name, told in SETTINGS.items()
    ],
)
def test_same_result_as_one_thread(setting: str) -> None:
    run_script(SCRIPT + SCENARIOS, SETTINGS[setting])


def test_inside_a_parallel_region() -> None:
    run_script(SCRIPT + NESTED, {"NUMBA_NUM_THREADS": "4", "NUMBA_THREADING_LAYER": "omp"})


# ------------------------------------------------------------------------ the caller's thread mask

X = np.random.default_rng(0).normal(size=(50, 5)).astype(np.float32)
Y = np.arange(50) % 3


def trainer(**options: Any) -> fastmlp.Trainer:
    return fastmlp.Trainer(300, **{"threads": 2, "epochs": 2, "seed": 0, **options})


@pytest.fixture(params=[1, None], ids=["one", "all"])
def mask(request: pytest.FixtureRequest) -> Any:
    before = numba.get_num_threads()
    numba.set_num_threads(request.param or numba.config.NUMBA_NUM_THREADS)
    yield numba.get_num_threads()
    numba.set_num_threads(before)


@pytest.mark.threading
@pytest.mark.parametrize("threads", [None, 1, 2, 8])
def test_mask_after_a_fit(mask: int, threads: int | None) -> None:
    fitted = trainer(threads=threads).fit(X, Y)
    fitted.predict(np.tile(X, (10, 1)))
    assert numba.get_num_threads() == mask


@pytest.mark.threading
def test_mask_after_bad_input(mask: int) -> None:
    with pytest.raises(ValueError, match="must be 2-D"):
        trainer().fit(X[0], Y)
    assert numba.get_num_threads() == mask


@pytest.mark.threading
def test_mask_in_and_after_a_raising_callback(mask: int) -> None:
    def fail(trainer: Any, epoch: int, logs: Any) -> None:
        assert numba.get_num_threads() == mask
        raise RuntimeError("from the callback")

    with pytest.raises(RuntimeError, match="from the callback"):
        trainer(callbacks=fail).fit(X, Y)
    assert numba.get_num_threads() == mask


def test_mask_after_a_failed_launch(mask: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*arguments: Any) -> None:
        raise RuntimeError("from the launch")

    def region_fails(address: int, count: int) -> Any:
        return fail if address == region else c_function(address, count)

    region = kernel_of(launch._region).address()
    monkeypatch.setattr(launch, "c_function", region_fails)
    with pytest.raises(RuntimeError, match="from the launch"):
        trainer().fit(X, Y)
    assert numba.get_num_threads() == mask
    monkeypatch.undo()
    trainer().fit(X, Y)  # the lock is free
