"""Which parameters fit a measurement? A Markov chain that asks a network at each of its steps.

A rod swings with a frequency and a damping that are unknown; its position was measured eight times,
with noise. A network learns the positions from 4,000 simulated rods and takes the place of the
simulation. A random walk over frequency and damping (Metropolis), whose every step depends on the
network's answer to the one before, finds what values the measurement allows.

Such steps cannot share one call of ``predict``. The same function walks in Python, and compiled by
Numba with ``trainer.compiled()`` inside: ``python examples/monte_carlo.py``.
"""

import time
from collections.abc import Callable
from typing import Any

import numba
import numpy as np
import numpy.typing as npt
from picture import parse_args, write

from fastmlp import Trainer

Array = npt.NDArray[np.float64]

TIMES, NOISE = np.linspace(0.5, 6, 8), 0.1
LOW, HIGH = np.array([0.5, 0.05]), np.array([2.0, 1.0])  # of frequency and damping
TRUTH = np.array([1.2, 0.3])
STEP, SECONDS, N_WALKS = 0.05, 1.0, 5


def positions(rods: Array) -> Array:
    """The simulation: positions at all times, for rows of frequency and damping."""
    frequency, damping = rods[:, :1], rods[:, 1:]
    return np.asarray(np.exp(-damping * TIMES) * np.cos(2 * frequency * TIMES))


def walk(predict: Any, measured: Array, at: Array, steps: Array, chances: Array) -> Array:
    """The point after each step; ``at`` moves along."""
    points = np.empty_like(steps)
    misfit = np.sum((predict(at) - measured) ** 2)
    for i in range(len(steps)):
        proposed = at + steps[i]
        if np.all(proposed > LOW) and np.all(proposed < HIGH):
            new = np.sum((predict(proposed) - measured) ** 2)
            if chances[i] < np.exp((misfit - new) / (2 * NOISE**2)):
                at[:], misfit = proposed, new
        points[i] = at
    return points


def walk_in_time(way: Callable[[Array, Array, Array], Array], piece: int, seed: int) -> Any:
    """Points of SECONDS of walking, a piece after the other, and the time after each."""
    rng = np.random.default_rng(seed)
    at, pieces = rng.uniform(LOW, HIGH), []
    times: list[float] = []
    start = time.perf_counter()
    while not times or times[-1] < SECONDS:
        pieces.append(way(at, rng.normal(0, STEP, (piece, 2)), rng.random(piece)))
        times.append(time.perf_counter() - start)
    return np.array(times), np.concatenate(pieces)


def exact(trainer: Trainer, measured: Array) -> tuple[Any, Array, Array, Array]:
    """A fine grid, which two parameters still allow: the probabilities there, mean and spread."""
    axes = [np.linspace(low, high, 400) for low, high in zip(LOW, HIGH, strict=True)]
    grid = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)
    misfit = ((trainer.predict(grid.reshape(-1, 2)) - measured) ** 2).sum(axis=1).reshape(400, 400)
    shares = np.exp((misfit.min() - misfit) / (2 * NOISE**2))
    shares /= shares.sum()
    mean = np.einsum("ij,ijk->k", shares, grid)
    spread = np.sqrt(np.einsum("ij,ijk->k", shares, (grid - mean) ** 2))
    return axes, shares, mean, spread


def errors(walks: Any, mean: Array, spread: Array) -> tuple[Array, Array]:
    """Times, and the error of the mean of the later half of the points, in spreads: the root of the
    mean square over all walks."""
    times = np.geomspace(0.02, SECONDS, 25)
    found = []
    for ends, points in walks:
        sums = np.concatenate((np.zeros((1, 2)), points.cumsum(axis=0)))
        piece = len(points) // len(ends)
        n = piece * np.maximum(1, np.searchsorted(ends, times))
        means = (sums[n] - sums[n // 2]) / (n - n // 2)[:, None]
        found.append(((means - mean) / spread) ** 2)
    return times, np.sqrt(np.mean(found, axis=(0, 2)))


def main() -> None:
    args = parse_args("Sample the parameters that a measurement allows.", "monte_carlo")
    rng = np.random.default_rng(args.seed)
    rods = rng.uniform(LOW, HIGH, (4_000, 2))
    trainer = Trainer((32, 32), activation="tanh", loss="squared_error", epochs=300, seed=args.seed)
    trainer.fit(rods, positions(rods))
    print(f"the network explains {trainer.score(rods, positions(rods)):.3%} of the positions")
    measured = positions(TRUTH[None])[0] + rng.normal(0, NOISE, len(TIMES))
    axes, shares, mean, spread = exact(trainer, measured)

    predict, compiled_walk = trainer.compiled(), numba.njit(walk)

    def compiled(*point_and_steps: Array) -> Array:
        return np.asarray(compiled_walk(predict, measured, *point_and_steps))

    def in_python(*point_and_steps: Array) -> Array:
        return walk(lambda x: trainer.predict(x[None])[0], measured, *point_and_steps)

    compiled(mean.copy(), np.zeros((1, 2)), np.zeros(1))  # compiles
    walks = {
        name: [walk_in_time(way, piece, seed) for seed in range(N_WALKS)]
        for name, way, piece in (("in Python", in_python, 200), ("compiled", compiled, 5_000))
    }
    speeds, curves = {}, {}
    for name, several in walks.items():
        speeds[name] = sum(len(points) for _, points in several) / (N_WALKS * SECONDS)
        curves[name] = errors(several, mean, spread)
        print(
            f"{name}: {speeds[name]:,.0f} steps per second; after {SECONDS:.0f} s the mean is "
            f"{curves[name][1][-1]:.3f} spreads from the exact one"
        )
    faster = speeds["compiled"] / speeds["in Python"]
    worse, better = (curves[name][1][-1] for name in ("in Python", "compiled"))
    message = (
        f"Compiled, the walk makes {faster:.0f} times as many steps a second, "
        f"and ends {worse / better:.0f} times as near to the exact mean."
    )
    print(message)

    def draw(*panels: Any) -> None:
        for ax, (name, several) in zip(panels, walks.items(), strict=False):
            points = several[0][1]
            kept = points[len(points) // 2 :]
            window = np.stack((mean - 3.5 * spread, mean + 3.5 * spread), axis=1)
            ax.hist2d(*kept.T, bins=60, range=window, cmap="Blues")
            ax.contour(*axes, shares.T, levels=shares.max() * np.exp([-4, -2, -0.5]), colors="C3")
            ax.plot([], [], color="C3", label="exact density")
            ax.set(xlabel="frequency", title=f"1 s {name}: {speeds[name]:,.0f} steps")
            ax.set(xlim=window[0], ylim=window[1])
        panels[0].set(ylabel="damping")
        panels[0].legend(frameon=False, loc="lower right")
        for name, curve in curves.items():
            panels[2].loglog(*curve, label=name)
        panels[2].set(xlabel="seconds of walking", ylabel="spreads", title="error of the mean")
        panels[2].legend(frameon=False)
        panels[0].figure.suptitle(message)

    write(args.plot, draw, 3)


if __name__ == "__main__":
    main()
