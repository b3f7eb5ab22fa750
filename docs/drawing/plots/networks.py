"""Pictures of the how-to pages on images, searches, ensembles and pipelines."""

from typing import Any

import numpy as np

from docs.drawing.plots import Names


def images(names: Names, errors: Any, weights: Any) -> None:
    """Digits taken for others, the worst first; weights of the units with the largest ones."""
    trainer, pixels, y = names["trainer"], names["images"][1_400:], names["y"][1_400:]
    p = trainer.predict_proba(pixels.reshape(len(pixels), -1))
    order = np.argsort(p[np.arange(len(y)), y])[:15]
    units = _largest(trainer.get_weights()[0].T.reshape(-1, 8, 8), 40)
    errors.imshow(_mosaic(pixels[order], 5), cmap="Greys")
    weights.imshow(_mosaic(units, 8), cmap="RdBu", vmin=-1, vmax=1)
    for ax in (errors, weights):
        ax.axis("off")
    for place, i in enumerate(order):
        row, column = divmod(place, 5)
        text = f"{y[i]} as {p[i].argmax()}: {p[i].max():.0%}"
        errors.text(10 * column + 4, 10 * row + 9.2, text, ha="center", fontsize=8)
    errors.set(title="digits taken for others, with the probability given")
    weights.set(title="weights of 40 of the 512 hidden units")


def _largest(weights: Any, count: int) -> Any:
    """The units of the largest weights, each scaled to 1."""
    sizes = np.abs(weights).max(axis=(1, 2))
    chosen = np.argsort(-sizes)[:count]
    return weights[chosen] / sizes[chosen, None, None]


def _mosaic(tiles: Any, n_columns: int) -> Any:
    """Images side by side, with a gap of two pixels."""
    padded = np.pad(tiles.astype(float), ((0, 0), (0, 2), (0, 2)), constant_values=np.nan)
    rows = padded.reshape(-1, n_columns, *padded.shape[1:])
    return rows.transpose(0, 2, 1, 3).reshape(len(rows) * padded.shape[1], -1)


def search(names: Names, settings: Any, seeds: Any) -> None:
    """Scores of the grid; those of seeds on random labels."""
    for hidden in names["grid"]["hidden"]:
        means = [
            mean
            for setting, mean in zip(names["settings"], names["means"], strict=True)
            if setting["hidden"] == hidden
        ]
        settings.semilogx(names["grid"]["learning_rate"], means, "o-", label=f"{hidden} units")
    settings.set(xlabel="learning rate", ylabel="accuracy, mean of three folds", ylim=(0, 1))
    settings.set(title="six settings of a grid")
    settings.legend(frameon=False)
    scores = np.sort(names["search"].cv_results_["mean_test_score"])
    seeds.plot(scores, "o", label="twenty seeds")
    seeds.plot(len(scores) - 1, scores[-1], "o", color="C3", label="the best one")
    seeds.axhline(names["nested"].mean(), color="C1", label="nested cross-validation")
    seeds.axhline(0.5, color="0.5", linestyle=":", label="chance")
    seeds.set(xlabel="seeds, sorted by score", ylabel="accuracy", xticks=[])
    seeds.set(title="random labels: the best seed means nothing")
    seeds.legend(frameon=False)


def ensembles(names: Names, curves: Any, errors: Any) -> None:
    """Members on one feature; the error over the spread on five."""
    grid = np.linspace(-4, 4, 400)[:, None]
    for member in names["curves"].members:
        curves.plot(grid, member.predict(grid), color="C0", alpha=0.4, linewidth=1)
    curves.plot(grid, names["curves"].predict(grid), color="C3", label="their mean")
    curves.plot([], color="C0", alpha=0.4, linewidth=1, label="eight networks")
    curves.plot(names["x"], names["waves"], ".", color="0.3", markersize=3, label="training rows")
    curves.set(title="members part where rows are missing", xlabel="x", ylim=(-2.5, 2.5))
    curves.legend(frameon=False, loc="lower left")
    ensemble, X, y = (names[name] for name in ("ensemble", "X_test", "y_test"))
    spread, error = ensemble.spread(X), np.abs(ensemble.predict(X) - y)
    errors.plot(spread, error, ".", color="C0", alpha=0.4, label="test rows")
    sixths = np.array_split(np.argsort(spread), 6)
    means = [[values[rows].mean() for rows in sixths] for values in (spread, error)]
    errors.plot(*means, "o-", color="C3", label="means of sixths")
    errors.set(xlabel="spread of the members", ylabel="error")
    errors.set(title="errors of test rows grow with the spread")
    errors.legend(frameon=False)


def pipelines(names: Names, dependence: Any, importance: Any) -> None:
    """Partial dependence on the area in each district; permutation importance."""
    flats, found = names["flats"].dropna(), names["importance"]
    areas = np.linspace(20, 150, 30)
    for district, rows in flats.groupby("district"):
        means = [names["pipeline"].predict(rows.assign(area=area)).mean() for area in areas]
        dependence.plot(areas, means, label=district)
    dependence.set(xlabel="area (m²)", ylabel="mean predicted rent", title="partial dependence")
    dependence.legend(frameon=False)
    means, deviations = found.importances_mean[::-1], found.importances_std[::-1]
    importance.barh(flats.columns[::-1], means, xerr=deviations)
    importance.set(xlabel="fall of R² where the column is shuffled", title="permutation importance")


PLOTS = {made.__name__: made for made in (images, search, ensembles, pipelines)}
