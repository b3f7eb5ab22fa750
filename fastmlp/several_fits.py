"""Fit several trainers in parallel, each on one thread."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import numpy.typing as npt

from .data import compressed, gather_rows
from .fit_warning import caller
from .fitting.callables import shared_locks
from .kernels.runs.threads import free_threads, on_one_thread, usable_threads
from .member import Group, Member, set_member
from .outputs import loss_of_parts
from .settings.checks import as_tuple
from .trainer import Trainer


def fit_many(
    trainers: Sequence[Trainer],
    X: npt.ArrayLike,
    Y: npt.ArrayLike,
    rows: Sequence[npt.ArrayLike | None] | None = None,
    *,
    sample_weight: npt.ArrayLike | None = None,
    validation_data: Sequence[Any] | None = None,
) -> list[Trainer]:
    """Fit several trainers in parallel, such as those of a search, each on one thread.

    As many run at a time as there are usable threads; results are bit for bit those of
    ``trainer.fit``. On n cores, k networks take about k / n of the time of one on one thread.

    Parameters
    ----------
    trainers : sequence of Trainer
        Different objects, of any settings. Callbacks that several of them share must be functions,
        which are called by one thread at a time, or have ``for_fit()``, see ``fastmlp.callbacks``;
        paths of files need ``{member}``, which becomes the index of the trainer. Warnings and lines
        of progress begin with that index.
    X, Y, sample_weight, validation_data
        As for ``Trainer.fit``, the same for all trainers.
    rows : sequence of array of int or bool, optional
        Rows of X and Y for each trainer, such as the training rows of a fold; None for all. Where
        ``loss`` is "auto", all these rows together decide what it becomes for each.

    Returns
    -------
    list of Trainer
        The trainers.

    Raises
    ------
    TypeError, ValueError
        If an item is no Trainer, one comes twice, or ``rows`` has another length; if trainers share
        a callback that has a state, or the path of a file.
    Exception
        The error of the first trainer whose fit failed, after all other fits are done. An
        interrupt ends all fits first, each as an interrupt of ``trainer.fit`` would.
    """
    trainers = list(trainers)
    for index, trainer in enumerate(trainers):
        if not isinstance(trainer, Trainer):
            raise TypeError(f"trainers[{index}] must be a Trainer; got {type(trainer).__name__}")
    if len(set(map(id, trainers))) < len(trainers):
        raise ValueError("trainers must be different objects; got one of them twice")
    chosen = [None] * len(trainers) if rows is None else list(rows)
    if len(chosen) != len(trainers):
        raise ValueError(f"rows must be one for each trainer; got {len(chosen)}")

    if hasattr(X, "tocsr"):
        X = compressed(X, "X")  # once for all; of CSR it shares the memory
    locks = shared_locks([as_tuple(trainer.callbacks) for trainer in trainers])
    group = Group(caller(), locks)
    # Parts of whole numbers may look like something else: one decision for all that need one.
    undecided = [
        trainer.loss == "auto" and not (trainer.warm_start and hasattr(trainer, "model_"))
        for trainer in trainers
    ]
    loss = loss_of_parts(Y, sample_weight, chosen) if any(undecided) else None
    left = list(reversed(range(len(trainers))))
    errors: list[BaseException | None] = [None] * len(trainers)
    running: set[int] = set()  # threads

    def fit(number: int) -> None:
        set_member(Member(group, number, None, None))  # an interrupt ends the copying, too
        x, y, weights = (gather_rows(data, chosen[number]) for data in (X, Y, sample_weight))
        set_member(Member(group, number, y, loss))
        trainers[number].fit(x, y, sample_weight=weights, validation_data=validation_data)

    def work() -> None:
        running.add(threading.get_ident())
        try:
            with on_one_thread(), suppress(IndexError):
                while True:
                    number = left.pop()
                    try:
                        fit(number)
                    except BaseException as error:
                        errors[number] = error
        finally:
            running.discard(threading.get_ident())

    # Not concurrent.futures: its pools hold a lock at a fork, so that a signal handler that forks
    # in the meantime would wait forever.
    count = max(1, min(free_threads(usable_threads(None)), len(trainers)))
    threads = [threading.Thread(target=work) for _ in range(count)]
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            while thread.is_alive():  # an interrupt right before a join shows after it
                thread.join(0.1)
    except BaseException:
        while True:
            try:
                group.is_interrupted = True
                left.clear()
                # Not join: Python 3.11 forgets a thread whose join was interrupted. Nor a lock,
                # which a further interrupt may leave locked.
                while running:
                    time.sleep(0.01)
                break
            except BaseException:  # further interrupts do not hasten the end
                pass
        raise
    for error in errors:
        if error is not None:
            raise error
    return trainers
