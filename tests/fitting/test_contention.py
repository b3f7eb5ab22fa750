"""Runs whose team changes, and several at once: the results are those of one thread alone."""

import threading
from typing import Any

import numpy as np
import pytest

from fastmlp import Trainer
from fastmlp.fitting import contention, epoch, memory
from fastmlp.fitting.contention import Contention
from fastmlp.kernels.runs import launch
from fastmlp.kernels.runs import threads as runs_threads
from fastmlp.kernels.runs.team import stayed, team_array_size
from tests.helpers.basics import needs_compiler
from tests.helpers.processes import LAYERS, run

# ------------------------------------------------------------------------- whether a team is asked


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def perf_counter(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(contention, "time", clock)
    return clock


def pause(contention: Any, clock: Clock) -> float:
    """How long one waits alone after a team that had to wait."""
    contention.report(False)
    start = clock.now
    while not contention.allows_team():
        clock.now += 0.001
        assert clock.now < start + 1
    return clock.now - start


def test_a_team_allows_team_at_first(clock: Clock) -> None:
    contention = Contention()
    for _ in range(3):
        assert contention.allows_team()
        contention.report(True)


def test_longer_pauses_after_each_failure(clock: Clock) -> None:
    contention = Contention()
    shortest, longest = contention.SHORTEST, contention.LONGEST
    wanted = [min(shortest * 2**n, longest) for n in range(8)]
    assert wanted[0] < wanted[-1] == longest
    assert [pause(contention, clock) for _ in wanted] == pytest.approx(wanted, abs=0.002)


def test_a_success_forgets_all_failures(clock: Clock) -> None:
    contention = Contention()
    for _ in range(5):
        pause(contention, clock)
    contention.report(True)
    assert contention.allows_team()
    assert pause(contention, clock) == pytest.approx(contention.SHORTEST, abs=0.002)


def test_back_within_a_second() -> None:
    """Whatever happened before: after the longest pause, which a slice may exceed."""
    assert Contention.LONGEST + 2 * epoch.SLICE_SECONDS < 1


@pytest.mark.parametrize(
    ("size", "parting", "wanted"), [(2, 0, True), (1, 0, False), (2, 7, False), (1, 7, False)]
)
def test_who_stayed(size: int, parting: int, wanted: bool) -> None:
    team = np.zeros(team_array_size(2), np.int64)
    team[[0, 8, 16]] = 2, size, parting
    assert stayed(team, 2) is wanted


X = np.random.default_rng(0).normal(size=(300, 20)).astype(np.float32)
Y = np.arange(300) % 3


def small(**options: Any) -> Trainer:
    return Trainer(300, **{"epochs": 2, "batch_size": 32, "seed": 0, "threads": 2, **options})


def same(one: Trainer, other: Trainer) -> bool:
    return all(map(np.array_equal, one.get_weights(), other.get_weights()))


@pytest.mark.threading
@needs_compiler
def test_teams_that_fail_and_those_that_do_not(monkeypatch: pytest.MonkeyPatch) -> None:
    """After a failure the run goes on alone; only asked-for teams are told of."""
    asked: list[bool] = []
    told: list[bool] = []

    class Recorder(Contention):
        def allows_team(self) -> bool:
            return len(asked) % 3 > 0

        def report(self, complete: bool) -> None:
            told.append(complete)

    def run(job: launch.Job, *, alone: bool = False) -> bool:
        asked.append(original(job, alone=alone))
        assert asked[-1] is not alone
        return asked[-1]

    original = launch.Job.run
    monkeypatch.setattr(epoch, "Contention", Recorder)
    monkeypatch.setattr(epoch, "SLICE_SECONDS", 0)
    monkeypatch.setattr(epoch, "_FIRST_SLICE_FLOPS", 0)
    monkeypatch.setattr(memory, "usable_threads", lambda threads: threads)
    monkeypatch.setattr(launch, "threading_layer", lambda: "workqueue")  # for two threads anywhere
    monkeypatch.setattr(launch.Job, "run", run)
    fitted = small().fit(X, Y)
    assert len(asked) == 2 * 10  # batches, each a slice
    assert asked == [n % 3 > 0 for n in range(20)]
    assert len(told) == sum(asked)
    assert all(isinstance(complete, bool) for complete in told)
    monkeypatch.undo()
    assert same(fitted, small(threads=1).fit(X, Y))


@needs_compiler
def test_a_failure_counts_for_the_next_fit(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    """Unless its threads are given."""
    teams: list[bool] = []

    def run(job: launch.Job, *, alone: bool = False) -> bool:
        teams.append(not alone)
        return original(job, alone=True)

    original = launch.Job.run
    monkeypatch.setattr(launch.Job, "run", run)
    monkeypatch.setattr(epoch, "_contention", Contention())
    for failed in (False, True):
        if failed:
            epoch._contention.report(complete=False)
        for threads in (None, 2):
            small(threads=threads, epochs=1).fit(X, Y)
    assert teams == [True, True, False, True]


@pytest.mark.threading
@needs_compiler
def test_nobody_waits_for_somebody_elses_region(monkeypatch: pytest.MonkeyPatch) -> None:
    alone, many = small(threads=1).fit(X, Y), np.tile(X, (200, 1))
    monkeypatch.setitem(launch._launches.teams, "that of another thread", None)
    fitted = small().fit(X, Y)
    probabilities = fitted.predict_proba(many)
    assert same(fitted, alone)
    assert np.array_equal(probabilities, alone.predict_proba(many))


@pytest.mark.threading
@needs_compiler
def test_fits_of_two_threads_share_the_processors(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of four, a team takes three and the other fit one."""
    sizes: list[int] = []
    both = threading.Barrier(2, timeout=60)

    class Together:
        def for_fit(self) -> Any:
            return self

        def on_fit_begin(self, trainer: Trainer) -> None:
            both.wait()

        def on_fit_end(self, trainer: Trainer) -> None:
            both.wait()

        def __call__(self, *_: Any) -> None:
            pass

    def run_together(job: launch.Job, size: int, forked: bool) -> None:
        sizes.append(size)
        original(job, size, forked)

    original = launch.Job._run_together
    monkeypatch.setattr(Contention, "allows_team", lambda contention: True)
    monkeypatch.setattr(memory, "usable_threads", lambda threads: 4)
    monkeypatch.setattr(runs_threads, "usable_threads", lambda threads: 4)
    monkeypatch.setattr(launch.Job, "_run_together", run_together)
    fits = [small(epochs=20, callbacks=Together()) for _ in range(2)]
    threads = [threading.Thread(target=fit.fit, args=(X, Y)) for fit in fits]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(sizes) == {3}
    single = small(epochs=20).fit(X, Y)
    assert set(sizes) == {3, 4}
    assert same(fits[0], single)
    assert same(fits[1], single)


# ----------------------------------------------------------------------- teams that change in a fit

SCRIPT = """
import ctypes
import itertools
import threading
import numpy as np
from fastmlp import Trainer
from fastmlp.fitting import epoch
from fastmlp.kernels.runs import team
from fastmlp.kernels.runs.launch import Job
from fastmlp.optimizers import SGD

rng = np.random.default_rng(0)
OPTIMIZERS = [
    {"optimizer": "sgd", "learning_rate": 0.05},
    {"optimizer": SGD(0.05, momentum=0.9)},
    {"optimizer": SGD(0.05, momentum=0.9, nesterov=True)},
    {"optimizer": "adam", "learning_rate": 0.01},
]
NETWORKS = [(), (600,), (300, 290), (150, 200, 140)]
dense = rng.normal(size=(330, 60)).astype(np.float32)
taken = rng.random(dense.shape) < 0.05
taken[:, 0] = True  # no row is all zero: its classes would tie
# Ragged batches, batches of several chunks, features that are mostly zero.
DATA = [
    (dense, {"batch_size": 64}),
    (rng.normal(size=(2500, 20)).astype(np.float32), {"batch_size": 1200}),
    (dense * taken, {"batch_size": 50}),
]
THREADS = itertools.cycle([2, 4, 8, 3])
"""

CHECKS = """
def labels(X):
    return np.arange(len(X)) % 4

def fit(X, hidden, **options):
    return Trainer(hidden, **{"epochs": 2, "seed": 0, **options}).fit(X, labels(X))

def results(fitted):
    return [*fitted.get_weights(), fitted.history["loss"], fitted.history["accuracy"]]

def same(one, other):
    return all(map(np.array_equal, results(one), results(other)))

problems = [
    (X, hidden, {**options, **optimizer})
    for (X, options), hidden, optimizer in itertools.product(DATA, NETWORKS, OPTIMIZERS)
]
alone = [fit(X, hidden, threads=1, **options) for X, hidden, options in problems]

def check():
    for (X, hidden, options), wanted in zip(problems, alone):
        threads = next(THREADS)
        assert same(fit(X, hidden, threads=threads, **options), wanted), (hidden, options, threads)

def check_rows():
    # With a rate of next to nothing the loss on the way is that of all rows, each taken once.
    for X, options in DATA:
        for hidden in NETWORKS:
            fitted = fit(X.astype("float64"), hidden, threads=next(THREADS), learning_rate=1e-30,
                         optimizer="sgd", dtype="float64", **options)
            loss, accuracy = fitted.evaluate(X.astype("float64"), labels(X)).values()
            np.testing.assert_allclose(fitted.history["loss"], loss, rtol=1e-12)
            np.testing.assert_allclose(fitted.history["accuracy"], accuracy, rtol=1e-12)

class Slices:
    "Counts them, and what came of the teams that were asked."

    def __init__(self):
        self.run, self.asked, self.stayed = Job.run, [], []
        Job.run = lambda job, **options: self.count(job, **options)

    def count(self, job, **options):
        self.asked.append(self.run(job, **options))
        if self.asked[-1] and job.runs["team"][0]:
            self.stayed.append(team.stayed(team_of(job), len(job.runs)))
        return self.asked[-1]

def team_of(job):
    size = team.team_array_size(len(job.runs))
    return np.ctypeslib.as_array((ctypes.c_int64 * size).from_address(int(job.runs["team"][0])))
"""

ALONE_AND_TOGETHER = """
turns = itertools.cycle([True, False, False, True, True])
epoch.Contention.allows_team = lambda contention: next(turns)
epoch.SLICE_SECONDS = epoch._FIRST_SLICE_FLOPS = 0  # a step each
slices = Slices()
check()
check_rows()
assert {True, False} == set(slices.asked)
assert any(slices.stayed)
"""

# The word that says so is there from the start of each slice.
PARTING = """
epoch.Contention.allows_team = lambda contention: True
original = Job.run

def part(job, **options):
    if job.runs["team"][0]:
        team_of(job)[team._DISBANDING] = 1
    return original(job, **options)

Job.run = part
slices = Slices()
check()
check_rows()
assert not any(slices.stayed)
steps = sum(2 * -(-len(X) // options["batch_size"]) for X, _, options in problems)
assert len(slices.asked) > steps
"""

IN_DEBT = """
epoch.Contention.allows_team = lambda contention: True
slices = Slices()
check()
assert not all(slices.stayed)
"""

AS_IT_IS = "check()\ncheck_rows()\n"


@pytest.mark.costly
@needs_compiler
@pytest.mark.parametrize("layer", ["omp", "workqueue"])
def test_slices_alone_and_together(layer: str) -> None:
    run(SCRIPT + CHECKS + ALONE_AND_TOGETHER, layer, NUMBA_NUM_THREADS="8")


@pytest.mark.threading
@pytest.mark.full
@needs_compiler
def test_a_team_that_parts_at_every_step() -> None:
    run(SCRIPT + CHECKS + PARTING, NUMBA_NUM_THREADS="8")


@pytest.mark.threading
@pytest.mark.full
@needs_compiler
def test_teams_that_begin_in_debt() -> None:
    """An account that is overdrawn from the start lets the team part at the first wait."""
    debt = "epoch.CREDIT = -10**18\nDATA, OPTIMIZERS = DATA[:1], OPTIMIZERS[::3]\n"
    run(SCRIPT + debt + CHECKS + IN_DEBT, timeout=200, NUMBA_NUM_THREADS="8")


@pytest.mark.threading
@pytest.mark.full
@needs_compiler
def test_teams_as_they_come() -> None:
    run(SCRIPT + CHECKS + AS_IT_IS, NUMBA_NUM_THREADS="8")


# ---------------------------------------------------------------------------------- several at once

AT_ONCE = """
import threading
import numpy as np
from fastmlp import Trainer

rng = np.random.default_rng(0)
X, Y = rng.normal(size=(400, 100)).astype(np.float32), rng.integers(3, size=400)
MANY = np.tile(X, (5, 1))

def fit(seed):
    return Trainer(300, epochs=3, batch_size=64, seed=seed, threads=threads).fit(X, Y)

def at_once(count, function):
    threads = [threading.Thread(target=function, args=(index,)) for index in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

threads = 1
fits = [fit(seed) for seed in range(4)]
predictions = [fitted.predict_proba(MANY) for fitted in fits]
one, few = fits[0].predict_proba(X[:1]), fits[0].predict_proba(X[:200])
scores = fits[0].evaluate(MANY, np.tile(Y, 5))
threads = 4
for fitted in fits:
    fitted.threads = 4

def refit(index):
    fitted = fit(index)
    right.append(all(map(np.array_equal, fitted.get_weights(), fits[index].get_weights())))
    right.append(np.array_equal(fitted.predict_proba(MANY), predictions[index]))

def mixed(index):
    for turn in range(turns):
        kind = (index + turn) % 5
        if kind == 0:
            refit(turn % 4)
        elif kind == 1:
            right.append(np.array_equal(fits[turn % 4].predict_proba(MANY), predictions[turn % 4]))
        elif kind == 2:
            right.append(fits[0].evaluate(MANY, np.tile(Y, 5)) == scores)
        elif kind == 3:
            right.append(np.array_equal(fits[0].predict_proba(X[:200]), few))
        else:
            right.append(np.array_equal(fits[0].predict_proba(X[:1]), one))

right = []
at_once(2, refit)
assert right == [True] * 4
right = []
at_once(16, mixed)
assert len(right) == 16 * turns * 6 // 5 and all(right)
"""


@pytest.mark.costly
@needs_compiler
@pytest.mark.parametrize(
    ("layer", "turns"), [("omp", 20), ("omp", 200), ("workqueue", 200), ("tbb", 200)]
)
def test_fits_and_predictions_at_once(layer: str, turns: int) -> None:
    run(f"turns = {turns}\n{AT_ONCE}", layer, timeout=300, NUMBA_NUM_THREADS="4")


# Another library's parallel function in another thread, all the time.
ANOTHER = """
import numba

@numba.njit(parallel=True, nogil=True)
def region(values):
    for i in numba.prange(len(values)):
        values[i] += 1

def other():
    values = np.zeros(1000)
    while not done:
        region(values)
    counts.append((values == values[0]).all())

region(np.zeros(10))
done, counts, right = [], [], []
thread = threading.Thread(target=other)
thread.start()
for index in range(4):
    refit(index)
done.append(True)
thread.join()
assert counts == [True] and right == [True] * 8
"""


@pytest.mark.costly
@needs_compiler
@pytest.mark.parametrize("layer", LAYERS)
def test_beside_another_librarys_region(layer: str) -> None:
    run(AT_ONCE.partition("right = []")[0] + ANOTHER, layer, NUMBA_NUM_THREADS="4")
