"""Rents, their mean and the band that holds 80% of them: ``python examples/regression.py``.

The data are synthetic, so the true quantiles are known. Targets are in the thousands,
the Trainer scales them internally, and predictions are in euros.
"""

from typing import Any

import numpy as np
import numpy.typing as npt
from picture import parse_args, write

from fastmlp import Trainer
from fastmlp.losses import Quantile

Array = npt.NDArray[np.float64]

QUANTILES = (0.1, 0.5, 0.9)
Z = np.array([-1.2816, 0.0, 1.2816])  # quantiles of the normal distribution
N_TRAIN, N_TEST = 8_000, 2_000
# Name, unit, range, tolerance for similar flats, and a title for flats of one value.
FEATURES = (
    ("area", "m²", (20.0, 150.0), 10.0, "Flats of {:g} m²"),
    ("distance to the centre", "km", (0.0, 15.0), 0.75, "Flats {:g} km from the centre"),
)
TYPICAL = np.array([80.0, 3.0])


def median_and_spread(X: Array) -> tuple[Array, Array]:
    """Median rents, and the spread of their logarithm, which is larger near the centre."""
    area, distance = X.T
    median = 350 + 16 * area * (1 + 0.9 * np.exp(-distance / 4))
    return median, 0.10 + 0.20 * np.exp(-distance / 4)


def flats(rng: np.random.Generator, n: int) -> tuple[Array, Array]:
    """X: area in m², distance to the centre in km; Y: rent in euros a month."""
    X = np.column_stack([rng.uniform(*ends, n) for _, _, ends, _, _ in FEATURES])
    median, spread = median_and_spread(X)
    return X, median * np.exp(spread * rng.standard_normal(n))


def true_quantiles(X: Array) -> Array:
    """True quantiles, a column for each of ``QUANTILES``."""
    median, spread = median_and_spread(X)
    return np.asarray(median[:, None] * np.exp(np.outer(spread, Z)))


def scaled(X: Array) -> Array:
    """Features of about unit size."""
    return np.asarray((X - [85, 7.5]) / [40, 4.5])


def draw(ax: Any, trainer: Trainer, X: Array, Y: Array, column: int) -> None:
    """Draw the band over one feature, the other one as in ``TYPICAL``, and similar flats."""
    name, unit, ends, _, _ = FEATURES[column]
    _, other_unit, _, width, title = FEATURES[1 - column]
    grid = np.tile(TYPICAL, (200, 1))
    x = grid[:, column] = np.linspace(*ends, len(grid))
    typical = TYPICAL[1 - column]
    near = np.abs(X[:, 1 - column] - typical) < width
    low, middle, high = trainer.predict(scaled(grid)).T
    flats = f"test flats, ± {width:g} {other_unit}"
    ax.plot(X[near, column], Y[near], ".", color="0.55", markersize=4, label=flats)
    ax.fill_between(x, low, high, color="C0", alpha=0.25, label="predicted: 10% to 90%")
    ax.plot(x, middle, color="C0", linewidth=2, label="predicted: median")
    truth = true_quantiles(grid)
    ax.plot(x, truth, "k--", linewidth=1, label=["true quantiles", None, None])
    ax.set(
        xlabel=f"{name} ({unit})", ylabel="rent (euros a month)", ylim=(0, None),
        title=title.format(typical),
    )  # fmt: skip
    ax.legend(frameon=False)


def main() -> None:
    args = parse_args("Predict rents: their mean, and quantiles.", "regression")
    rng = np.random.default_rng(args.seed)
    X, Y = flats(rng, N_TRAIN)
    X_test, Y_test = flats(rng, N_TEST)
    settings: dict[str, Any] = {"hidden": [64, 64], "epochs": 30, "schedule": "cosine"}
    settings |= {"optimizer": "adam", "learning_rate": 0.003, "seed": args.seed}
    settings |= {"batch_size": 32, "scaling": None}  # scaled here
    settings |= {"activation": "silu"}  # smooth, as rents are

    mean = Trainer(loss="squared_error", **settings).fit(scaled(X), Y)
    errors = mean.predict(scaled(X_test)) - Y_test
    print(f"{N_TEST:,} test flats, rents from {Y_test.min():,.0f} to {Y_test.max():,.0f} euros")
    r2, rmse = mean.score(scaled(X_test), Y_test), np.sqrt(np.mean(errors**2))
    print(f"mean: R² {r2:.3f}, root mean squared error {rmse:,.0f} euros")

    band = Trainer(loss=Quantile(QUANTILES), **settings).fit(scaled(X), Y)
    predicted = band.predict(scaled(X_test))
    off = np.abs(predicted - true_quantiles(X_test)).mean(axis=0)
    print("\nquantile   test rents below it   mean error")
    below = (Y_test[:, None] < predicted).mean(axis=0)
    for q, fraction, error in zip(QUANTILES, below, off, strict=True):
        print(f"{q:8.0%}{fraction:22.1%}{error:7.0f} euros")
    inside = (predicted[:, 0] <= Y_test) & (Y_test <= predicted[:, -1])
    print(f"between the outer two: {inside.mean():.1%} of the test rents")

    near_and_far = np.array([[80.0, 1.0], [80.0, 12.0]])
    low, _, high = band.predict(scaled(near_and_far)).T
    ends = (f"{a:,.0f} to {b:,.0f} euros" for a, b in zip(low, high, strict=True))
    print(
        "Four of five flats of 80 m² cost {} at 1 km from the centre, {} at 12 km: "
        "the mean would not say how far rents differ.".format(*ends)
    )

    def draw_both(*axes: Any) -> None:
        for column, ax in enumerate(axes):
            draw(ax, band, X_test, Y_test, column)
        title = f"Quantiles say how far rents differ: {inside.mean():.0%} lie in the band"
        axes[0].figure.suptitle(title)

    write(args.plot, draw_both, 2)


if __name__ == "__main__":
    main()
