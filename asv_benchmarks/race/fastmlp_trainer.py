"""fastmlp: one fit; a callback ends the laps."""

from typing import Any

from asv_benchmarks import as_they_come

from .jobs import Array
from .run import Run

IMPORTS = ("fastmlp",)


def train(run: Run, fastmlp: Any) -> list[Array]:
    job = run.job
    trainer = fastmlp.Trainer(
        hidden=job.layer_sizes[1:-1],
        optimizer=job.optimizer,
        learning_rate=job.learning_rate,
        batch_size=job.batch_size,
        epochs=run.epochs,
        threads=run.threads,
        warm_start=True,
        seed=1,
        **as_they_come(fastmlp.Trainer),
        callbacks=lambda *_: run.lap(),
    )
    trainer.set_weights(run.initial_weights())
    run.start()
    trainer.fit(run.X, run.Y)
    weights: list[Array] = trainer.get_weights()
    return weights
