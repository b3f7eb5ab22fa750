"""Pictures of the first fit, and of the schedules of the learning rate."""

from typing import Any

from docs.drawing.plots import Names


def start(names: Names, losses: Any, scores: Any) -> None:
    trainer = names["trainer"]
    for ax, name, title in (
        (losses, "loss", "loss: cross-entropy"),
        (scores, "accuracy", "accuracy"),
    ):
        for key, rows in ((name, "training rows"), (f"val_{name}", "held-out rows")):
            values = trainer.history[key]
            ax.plot(range(1, len(values) + 1), values, label=rows)
        best = trainer.best_epoch_ + 1
        ax.axvline(best, color="black", linestyle=":", label=f"best epoch, {best}")
        ax.set(xlabel="epoch", title=title)
    losses.legend()


def schedules(names: Names, falling: Any, rising: Any) -> None:
    for name, factors in names["curves"].items():
        ax = rising if name in ("one_cycle", "coslog4") else falling
        ax.plot(names["updates"] / names["per_epoch"], factors, label=name)
    for ax in (falling, rising):
        ax.set(xlabel="epoch", ylabel="factor of the learning rate", ylim=(-0.02, 1.24))
        ax.legend(loc="upper right", ncols=3)


PLOTS = {made.__name__: made for made in (start, schedules)}
