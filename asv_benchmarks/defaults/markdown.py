"""The results in Markdown: a table for the docs, and more of each kind of sets."""

from collections.abc import Callable, Sequence

import numpy as np

from ..race.jobs import Array
from .results import LOST, SCORES, Comparison
from .systems import LINEAR, OURS, SYSTEMS

WORST_SHOWN = 3


def overview(comparisons: Sequence[Comparison]) -> str:
    """Mean scores on sets of both kinds; the systems that have all, best mean rank first."""
    systems = [name for name in SYSTEMS if all(name in c.systems for c in comparisons)]
    parts = [c.of(systems) for c in comparisons]
    ranks = np.average([c.ranks for c in parts], axis=0, weights=[len(c.sets) for c in parts])
    heads = [f"{SCORES[c.kind]}, {len(c.sets)} tables" for c in parts]
    heads += ["mean rank", "CPU seconds"]
    columns = [_marked(c.means, shown) for c in parts]
    columns += [_marked(-ranks, lambda rank: f"{-rank:.1f}")]
    seconds = sum(np.median(c.seconds, axis=2).sum(axis=1) for c in parts)
    columns += [[f"{value:,.0f}" if value >= 10 else f"{value:.1f}" for value in seconds]]
    if LINEAR in systems:
        heads += [f"tables over {LOST} below linear"]
        lost = sum((c.behind_linear() > LOST).sum(axis=1) for c in parts)
        columns += [[str(count) for count in lost]]
    lines = [f"| | {' | '.join(heads)} |", "|---|" + "--:|" * len(heads)]
    for k in np.argsort(ranks, kind="stable"):
        title = SYSTEMS[systems[k]].title
        title = f"**{title}**" if systems[k].startswith(OURS) else title
        lines.append(f"| {title} | {' | '.join(column[k] for column in columns)} |")
    return "\n".join(lines)


def shown(value: float) -> str:
    """A score; R² may be far below 0."""
    return f"{value:.3f}" if value > -10 else f"{value:,.0f}"


def _marked(values: Array, text: Callable[[float], str]) -> list[str]:
    """The texts of values, the best ones bold."""
    texts = [text(value) for value in values]
    best = texts[int(np.argmax(values))]
    return [f"**{each}**" if each == best else each for each in texts]


def _spread(scores: Array) -> str:
    """Mean and standard deviation over the splits."""
    deviation = scores.std(ddof=1) if len(scores) > 1 else 0.0
    return f"{scores.mean():.4f} ± {deviation:.4f}"


def _range(seconds: Array) -> str:
    """Median and range over the splits."""
    return f"{np.median(seconds):.1f} ({seconds.min():.1f} to {seconds.max():.1f})"


def _worst(comparison: Comparison, behind: Array) -> str:
    order = np.argsort(-behind)[:WORST_SHOWN]
    return ", ".join(f"{comparison.sets[k]} {-behind[k]:+.3f}" for k in order if behind[k] > 0)


def table(comparison: Comparison) -> str:
    """Markdown, best system first."""
    lines = [
        f"{comparison.title}, {comparison.kind}: {len(comparison.sets)} sets"
        + (f"; {comparison.failures} failed splits count as 0" if comparison.failures else ""),
        "",
        f"| system | mean {SCORES[comparison.kind]} | mean rank | CPU seconds a split, all sets | "
        f"sets > {LOST} below linear | worst sets, from linear |",
        "|---|--:|--:|--:|--:|---|",
    ]
    behind = comparison.behind_linear() if LINEAR in comparison.systems else None
    for k in np.argsort(-comparison.means):
        name = comparison.systems[k]
        cells = [
            f"**{name}**" if name == OURS else name,
            _spread(comparison.scores[k].mean(axis=0)),
            f"{comparison.ranks[k]:.2f}",
            _range(comparison.seconds[k].sum(axis=0)),
        ]
        if behind is not None:
            cells += [str((behind[k] > LOST).sum()), _worst(comparison, behind[k])]
        else:
            cells += ["", ""]
        lines.append(f"| {' | '.join(cells)} |")
    if comparison.left_out:
        lines += ["", f"not on all of these sets: {', '.join(comparison.left_out)}"]
    return "\n".join(lines)


def each_set(comparison: Comparison) -> str:
    """Markdown: the mean score of every system on every set."""
    lines = [
        f"| {comparison.title}, {comparison.kind} | {' | '.join(comparison.systems)} |",
        "|---|" + "--:|" * len(comparison.systems),
    ]
    for name, row in zip(comparison.sets, comparison.scores.mean(axis=2).T, strict=True):
        lines.append(f"| {name} | {' | '.join(f'{value:.4f}' for value in row)} |")
    return "\n".join(lines)
