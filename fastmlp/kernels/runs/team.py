"""Forming a team of threads inside a ``prange``, its barrier, and when it disbands.

A ``prange`` does not promise that its iterations run at the same time: a nested region, another
threading layer or a thread limit may run them one after another, and a barrier for a fixed
number of threads would then wait for ever. So each iteration registers, the first one waits a
bounded time for the others and closes the team with the members present; later ones return at
once.

A member that the system has suspended keeps all others at the barrier. So each member keeps an
account of the time that the team has saved over one thread: P members that work save P - 1 times
the time that passes, and lose P times the time that the member waits (as if no other worked then,
which is true of two). When it is overdrawn, one thread would recently have been faster, and the
member sets a step at whose end the team disbands; results do not depend on the team, so one thread
may go on from there.

``team`` is an int64 array of zeros, one cache line of 8 apart: the number registered, the size
of the closed team (0 while it is open), the number of the step behind the last one (0 while the
team stays), then for each member the number of barriers reached.
"""

import sys
from typing import Any

import numpy as np
import numpy.typing as npt

from ..language.backend import intrinsic, ir, types
from ..language.builders import declared, stack_slot, unpacked
from ..language.elements import int64s
from ..language.jit import kernel
from ..language.parameters import Run
from ..language.records import layer_at, run_at
from ..language.simd import INT, LINE_BYTES, ZERO
from ..language.target import X86

_LINE = LINE_BYTES // 8
_REGISTERED, _SIZE, _DISBANDING, _MEMBERS = 0, _LINE, 2 * _LINE, 3 * _LINE
_CLOSED = 1 << 40

# Polls before the processor is offered to others: 3 us on an AVX-512 Xeon, where the members of a
# team come to a barrier about 0.6 us apart. Longer means that a member was not scheduled.
# On an idle machine 100 to 6400 polls give the same times.
_SPINS = 400
# Nanoseconds with which an account begins: a thread that was asleep may be milliseconds late. Fits
# of 0.2 s took 0.53 to 0.57 of the time of one thread on an idle machine (with 1 ms up to 1.1), and
# 1.05, 0.97 and 1.1 beside one, two and four busy processes (with 8 ms 1.14, 1.33 and 1.15).
CREDIT = 3_000_000
# The most that an account holds: beside a new neighbour a team disbands after 0.1 s of waiting.
_MOST_CREDIT = 100_000_000
# A registration waits at most this many nanoseconds, or as many offers of the processor where there
# is no clock. Beside a spinning thread of a BLAS library the first team of 7 out of 20 fits was not
# complete in 0.5 ms, of 25 fits all were in 4 ms.
_PATIENCE, _MOST_OFFERS = 4_000_000, 1 << 16


def stayed(team: npt.NDArray[np.int64], n_threads: int) -> bool:
    """Whether all ``n_threads`` joined, and the team did not disband."""
    return bool(team[_SIZE] == n_threads and team[_DISBANDING] == 0)


def team_array_size(n_threads: int) -> int:
    """Length of the ``team`` array for up to ``n_threads`` members."""
    return _MEMBERS + _LINE * n_threads


@intrinsic
def _load_acquire(typing_context, team, index):
    def emit(context, builder, sig, args):
        pointer = builder.gep(args[0], [args[1]])
        return builder.load_atomic(pointer, "acquire", 8)

    return types.int64(team, types.int64), emit


@intrinsic
def _store_release(typing_context, team, index, value):
    def emit(context, builder, sig, args):
        pointer = builder.gep(args[0], [args[1]])
        builder.store_atomic(args[2], pointer, "release", 8)
        return context.get_dummy_value()

    return types.void(team, types.int64, types.int64), emit


@intrinsic
def _fetch_add(typing_context, team, index, value):
    def emit(context, builder, sig, args):
        pointer = builder.gep(args[0], [args[1]])
        return builder.atomic_rmw("add", pointer, args[2], "acq_rel")

    return types.int64(team, types.int64, types.int64), emit


@intrinsic
def _compare_and_swap(typing_context, team, index, expected, value):
    def emit(context, builder, sig, args):
        pointer = builder.gep(args[0], [args[1]])
        result = builder.cmpxchg(pointer, args[2], args[3], "acq_rel", "acquire")
        return builder.extract_value(result, 1)

    return types.boolean(team, types.int64, types.int64, types.int64), emit


def _caller(name: str, result: Any, *, exists: bool) -> Any:
    """An intrinsic that calls a function without parameters, where it exists."""

    @intrinsic
    def caller(typing_context):
        def emit(context, builder, sig, args):
            if exists:
                builder.call(declared(builder, ir.FunctionType(result, []), name), [])
            return context.get_dummy_value()

        return types.void(), emit

    return caller


# Tells the processor that this is a spinning loop.
_pause = _caller("llvm.x86.sse2.pause", ir.VoidType(), exists=X86)
# Offers this processor to other threads.
_offer_processor = _caller("sched_yield", ir.IntType(32), exists=sys.platform != "win32")


@intrinsic
def _nanoseconds(typing_context):
    """A clock that only goes forward; 0 where there is none."""

    def emit(context, builder, sig, args):
        if sys.platform == "win32":
            return ZERO
        time = stack_slot(builder, ir.LiteralStructType([INT, INT]))
        number, monotonic = ir.IntType(32), 6 if sys.platform == "darwin" else 1
        signature = ir.FunctionType(number, [number, time.type])
        clock = declared(builder, signature, "clock_gettime")
        builder.call(clock, [ir.Constant(number, monotonic), time])
        seconds, rest = unpacked(builder, builder.load(time), 2)
        return builder.add(builder.mul(seconds, ir.Constant(INT, 1_000_000_000)), rest)

    return types.int64(), emit


@kernel
def join(runs: int) -> int:
    """Register with a team; returns the member's number, or -1 when the team is closed.

    The size of the team, and the member's panels of each layer, go to its records.
    """
    first = run_at(runs, 0)
    team = int64s(first.team)
    member = _fetch_add(team, _REGISTERED, 1)
    if member >= _CLOSED:
        return -1
    attempt, size, start = 0, 0, _nanoseconds()
    while size == 0:
        if member == 0:
            present = _load_acquire(team, _REGISTERED)
            late = attempt > _MOST_OFFERS or _nanoseconds() - start > _PATIENCE
            closes = late or present == first.asked
            if closes and _compare_and_swap(team, _REGISTERED, present, present + _CLOSED):
                _store_release(team, _SIZE, present)
        size = _load_acquire(team, _SIZE)
        if size == 0:
            _relax(attempt)
        attempt += 1
    run = run_at(runs, member)
    run.size = size
    for l in range(run.n_layers + 1):
        layer = layer_at(run.layers, l)
        layer.first = layer.panels * member // size
        layer.last = layer.panels * (member + 1) // size
    run.balanced_at = _nanoseconds()
    return member  # type: ignore[no-any-return]


@kernel
def _relax(attempt: int):
    """Wait a little, longer after many attempts."""
    if attempt < _SPINS:
        _pause()
    else:
        _offer_processor()


@kernel
def barrier(run: Run):
    """Wait until every member has reached this barrier."""
    if run.size > 1:
        team, mine = int64s(run.team), _MEMBERS + _LINE * run.member
        reached = _load_acquire(team, mine) + 1
        _store_release(team, mine, reached)
        for other in range(run.size):
            attempt = 0
            while attempt < _SPINS and _load_acquire(team, _MEMBERS + _LINE * other) < reached:
                _pause()
                attempt += 1
            if attempt == _SPINS:
                _wait_for(run, _MEMBERS + _LINE * other, reached)


@kernel
def _wait_for(run: Run, counter: int, reached: int):
    """Offer the processor until a member has reached the barrier; update the account."""
    team, start = int64s(run.team), _nanoseconds()
    while _load_acquire(team, counter) < reached:
        _offer_processor()
    now = _nanoseconds()
    credit = run.credit + (run.size - 1) * (now - run.balanced_at) - run.size * (now - start)
    run.credit = credit if credit < _MOST_CREDIT else _MOST_CREDIT
    run.balanced_at = now
    if credit < 0:
        # Every member meets another barrier before the end of the next step, so all will see it.
        _compare_and_swap(team, _DISBANDING, 0, run.step + 2)


@kernel
def disbands(run: Run) -> int:
    """Whether the team disbands after the present step."""
    step = _load_acquire(int64s(run.team), _DISBANDING)
    return step != 0 and run.step + 1 >= step  # type: ignore[no-any-return]
