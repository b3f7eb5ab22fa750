"""Rare classes, with and without ``class_weight="balanced"``: ``python examples/imbalanced.py``.

Of 100 machines 3 are worn and 1 is faulty. A network trained for accuracy misses
many of those; with balanced weights it finds them, at the price of false alarms.
"""

from typing import Any

import numpy as np
import numpy.typing as npt
from picture import parse_args, write

from fastmlp import Trainer

Array = npt.NDArray[Any]

N_TRAIN, N_TEST = 20_000, 20_000
# Frequency, and mean and standard deviation of vibration (mm/s) and temperature (°C).
STATES: dict[str, tuple[float, tuple[float, float], tuple[float, float]]] = {
    "sound": (0.96, (2.0, 55.0), (0.6, 6.0)),
    "worn": (0.03, (3.6, 60.0), (0.7, 6.0)),
    "faulty": (0.01, (3.2, 75.0), (0.8, 6.0)),
}
STYLES = {"sound": ("C0", "o"), "worn": ("C1", "^"), "faulty": ("C3", "s")}


def machines(rng: np.random.Generator, n: int) -> tuple[Array, Array]:
    """X: vibration in mm/s, temperature in °C; Y: the state."""
    chances, means, deviations = (np.array(column) for column in zip(*STATES.values(), strict=True))
    state = rng.choice(len(STATES), n, p=chances)
    X = means[state] + deviations[state] * rng.standard_normal((n, 2))
    return X, np.array(list(STATES))[state]


def scaled(X: Array) -> Array:
    """Features of about unit size."""
    return np.asarray((X - [2.0, 55.0]) / [1.0, 8.0])


def found(Y: Array, predicted: Array) -> dict[str, float]:
    """Recall of each state; their mean is the balanced accuracy."""
    return {state: float(np.mean(predicted[state == Y] == state)) for state in STATES}


def conclusion(Y: Array, plain: Array, balanced: Array) -> str:
    """What balanced weights find, and what that costs."""
    rare = Y != "sound"
    missed = [np.sum(predicted[rare] == "sound") for predicted in (plain, balanced)]
    alarms = [np.sum(predicted[~rare] != "sound") for predicted in (plain, balanced)]
    return (
        f"Balanced weights miss {missed[1]} of {rare.sum()} worn or faulty machines instead of "
        f"{missed[0]}, for {alarms[1] - alarms[0]:,} more false alarms."
    )


def report(Y: Array, predictions: dict[str, Array]) -> None:
    """One column for each trainer."""
    recalls = {name: found(Y, predicted) for name, predicted in predictions.items()}
    rows = {
        f"{state}, found of {np.sum(state == Y):,}": [recall[state] for recall in recalls.values()]
        for state in STATES
    }
    rows["balanced accuracy (mean of these)"] = [
        float(np.mean(list(recall.values()))) for recall in recalls.values()
    ]
    rows["accuracy"] = [float(np.mean(predicted == Y)) for predicted in predictions.values()]
    alarms = [(predicted != "sound") & (Y == "sound") for predicted in predictions.values()]
    rows["false alarms, of all machines"] = [float(alarm.mean()) for alarm in alarms]
    print(f"{f'{len(Y):,} test machines':36}" + "".join(f"{name:>12}" for name in predictions))
    for name, values in rows.items():
        print(f"{name:36}" + "".join(f"{value:12.1%}" for value in values))


def draw_states(ax: Any, trainer: Trainer, X: Array, Y: Array, title: str) -> None:
    """Draw the predicted regions, and some test machines."""
    vibration, temperature = np.linspace(0, 6, 241), np.linspace(35, 95, 241)
    grid = np.stack(np.meshgrid(vibration, temperature), axis=-1)
    predicted = trainer.predict(scaled(grid.reshape(-1, 2))).reshape(grid.shape[:2])
    for number, (state, (colour, marker)) in enumerate(STYLES.items()):
        region = np.where(predicted == state, 1.0, 0.0)
        ax.contourf(vibration, temperature, region, levels=[0.5, 1.5], colors=[colour], alpha=0.2)
        some = np.flatnonzero(state == Y)[:400]
        style = {"color": colour, "marker": marker, "markersize": 2.5, "linestyle": ""}
        ax.plot(*X[some].T, **style, zorder=2 + number, label=state)
    ax.set(xlabel="vibration (mm/s)", ylabel="temperature (°C)", title=title)
    ax.set(xlim=(0, 6), ylim=(35, 95))


def main() -> None:
    args = parse_args("Train on rare classes, with and without balanced weights.", "imbalanced")
    rng = np.random.default_rng(args.seed)
    X, Y = machines(rng, N_TRAIN)
    X_test, Y_test = machines(rng, N_TEST)
    settings: dict[str, Any] = {"optimizer": "sgd", "batch_size": 32, "epochs": 10}
    settings |= {"scaling": None, "seed": args.seed}  # scaled here
    trainers = {
        name: Trainer(32, **settings, class_weight=weight).fit(scaled(X), Y)
        for name, weight in (("unweighted", None), ("balanced", "balanced"))
    }
    predictions = {name: trainer.predict(scaled(X_test)) for name, trainer in trainers.items()}
    report(Y_test, predictions)
    message = conclusion(Y_test, *predictions.values())
    print(message)

    def draw(*axes: Any) -> None:
        titles = ("without weights", 'class_weight="balanced"')
        for ax, trainer, title in zip(axes, trainers.values(), titles, strict=True):
            draw_states(ax, trainer, X_test, Y_test, f"Areas: predicted, {title}")
        axes[0].legend(loc="lower right", title="true state", markerscale=2)
        axes[0].figure.suptitle(message)

    write(args.plot, draw, 2)


if __name__ == "__main__":
    main()
