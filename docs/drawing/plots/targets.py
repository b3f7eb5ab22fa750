"""Pictures of the pages on kinds of targets."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from docs.drawing.plots import Names

Array = npt.NDArray[Any]


def groups(values: Array, n: int) -> list[Array]:
    """Indices of n groups of about equal size, by rising values."""
    return np.array_split(np.argsort(values, kind="stable"), n)


def diagonal(ax: Any, low: float, high: float) -> None:
    ax.plot([low, high], [low, high], color="black", linestyle=":", linewidth=1)


def classification(names: Names, shares: Any, bars: Any) -> None:
    predicted = names["trainer"].predict_proba(names["X_test"])[:, 0]
    rows = groups(predicted, 10)
    observed = np.array([np.mean(names["y_test"][r] == "left") for r in rows])
    errors = np.sqrt(observed * (1 - observed) / [len(r) for r in rows])
    means = [predicted[r].mean() for r in rows]
    shares.errorbar(means, observed, errors, fmt="o", label="a tenth of the customers, ± 1 s.e.")
    diagonal(shares, 0, 1)
    shares.set(
        xlabel="predicted probability", ylabel="share that left", title="2,000 test customers"
    )
    shares.legend(loc="upper left")

    importance = names["importance"]
    order = np.argsort(importance.importances_mean)
    labels = names["X"].columns[order]
    bars.barh(labels, 100 * importance.importances_mean[order])
    bars.set(xlabel="percentage points", title="Accuracy lost by shuffling a column")
    bars.grid(visible=False, axis="y")


def regression(names: Names, points: Any, bars: Any) -> None:
    predicted, true = names["trainer"].predict(names["X_test"]), names["y_test"]
    points.plot(predicted, true, ".", markersize=4, alpha=0.6)
    diagonal(points, 0, true.max())
    points.set(xlabel="predicted rent (euros)", ylabel="rent (euros)", title="1,000 test flats")

    off = names["off"]
    labels = ["squared error", "Huber, 200 euros", "absolute error"]
    shown = bars.bar(labels, off.values(), color=["C3", "C0", "C0"])
    bars.bar_label(shown, fmt="%.0f")
    bars.margins(y=0.1)
    bars.set(
        ylabel="mean absolute error (euros)", title="Trained with 2% of rents ten times too high"
    )
    bars.grid(visible=False, axis="x")


def counts(names: Names, by_age: Any, by_rate: Any) -> None:
    test = names["test"]
    years, cars = names["years"][test], names["cars"][test]
    claims, true = names["claims"][test], names["rate"][test].to_numpy()
    rates = {"network": names["a_year"], "linear model": names["linear"].predict(cars)}

    rows = groups(cars["age"].to_numpy(), 14)
    ages = [cars["age"].to_numpy()[r].mean() for r in rows]

    def mean(values: Array, rows: list[Array]) -> list[float]:
        return [float(np.average(values[r], weights=years[r])) for r in rows]

    by_age.plot(ages, mean(claims / years, rows), "o", color="0.5", label="observed")
    by_age.plot(ages, mean(true, rows), "k--", linewidth=1, label="true rate")
    for name, rate in rates.items():
        by_age.plot(ages, mean(rate, rows), label=name)
        of_rate = groups(rate, 10)
        by_rate.plot(mean(rate, of_rate), mean(claims / years, of_rate), "o", label=name)
    by_age.set(xlabel="age of the driver", ylabel="claims a year", ylim=(0, None))
    by_age.set_title("4,000 test policies")
    diagonal(by_rate, 0, 0.55)
    by_rate.set(xlabel="predicted claims a year", ylabel="observed claims a year")
    by_rate.set_title("The same in ten groups, by prediction")
    for ax in (by_age, by_rate):
        ax.legend()


def quantiles(names: Names, band: Any, shares: Any) -> None:
    test = names["test"]
    hour, km, minutes = (names[name][test] for name in ("hour", "km", "minutes"))
    grid = np.linspace(10, 22, 200)
    low, middle, high = names["trainer"].predict(np.column_stack([grid, np.full(200, 3.0)])).T
    near = abs(km - 3) < 0.25
    band.plot(hour[near], minutes[near], ".", color="0.5", label="test, 2.75 to 3.25 km")
    band.fill_between(grid, low, high, alpha=0.25, label="predicted: 5% to 95%")
    band.plot(grid, middle, label="predicted: median")
    band.set(
        xlabel="hour of the day", ylabel="minutes", ylim=(0, None), title="Deliveries over 3 km"
    )
    band.legend(loc="upper left")

    edges = np.arange(10, 23)
    for name, inside in (("quantiles", names["inside"]), ("one width", names["inside_fixed"])):
        share = [100 * inside[(hour >= a) & (hour < a + 1)].mean() for a in edges[:-1]]
        shares.stairs(share, edges, baseline=None, linewidth=2, label=name)
    shares.axhline(90, color="black", linestyle=":", linewidth=1)
    shares.set(xlabel="hour of the day", ylabel="percent of the test deliveries", ylim=(0, 105))
    shares.set_title("Inside the band, 90% wanted")
    shares.legend(loc="lower left")


def _thresholds(scores: Array, truth: Array) -> Iterator[tuple[float, float]]:
    """Share of the positives found, and precision, for each number of alarms."""
    hits = np.cumsum(truth[np.argsort(-scores, kind="stable")])
    yield from zip(hits / hits[-1], hits / np.arange(1, len(hits) + 1), strict=True)


def imbalance(names: Names, curves: Any, shares: Any) -> None:
    truth = names["y_test"]
    marks = {
        "no weights": (names["p"], {0.5: "o", 0.05: "s"}),
        "balanced": (names["q"], {0.5: "o"}),
    }
    for number, (name, (scores, thresholds)) in enumerate(marks.items()):
        found, precision = np.array(list(_thresholds(scores, truth))).T
        curves.plot(found, precision, color=f"C{number}", linewidth=1, label=name)
        for threshold, marker in thresholds.items():
            last = np.sum(scores > threshold) - 1
            label = f"{name}, above {threshold:g}"
            curves.plot(found[last], precision[last], marker, color=f"C{number}", label=label)
    curves.set(
        xlabel="share of the frauds found (recall)", ylabel="share of the alarms right (precision)"
    )
    curves.set(ylim=(0, 1.02), title="10,000 test payments")
    curves.legend()

    for name, scores in (
        ("no weights", names["p"]),
        ("balanced", names["q"]),
        ("balanced, corrected", names["corrected"]),
    ):
        bins = (10 * scores).astype(int).clip(0, 9)
        rows = [r for r in (bins == k for k in range(10)) if np.sum(r) >= 20]
        means = [scores[r].mean() for r in rows]
        shares.plot(means, [truth[r].mean() for r in rows], "o-", linewidth=1, label=name)
    diagonal(shares, 0, 1)
    shares.set(xlabel="predicted probability", ylabel="share of frauds")
    shares.set_title("Groups of 20 payments or more, by prediction")
    shares.legend(loc="upper left")


PLOTS = {made.__name__: made for made in (classification, regression, counts, quantiles, imbalance)}
