"""Fit several trainers in parallel, each on one thread; average their predictions."""

from __future__ import annotations

import copy
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import numpy as np
import numpy.typing as npt

from .data import Array, gather_rows
from .fit_warning import caller
from .fitting.callables import shared_locks
from .inference.averaged import averaged_scores
from .kernels.runs.threads import on_one_thread, usable_threads
from .member import Group, Member, set_member
from .outputs import Outputs, loss_of_parts
from .settings import check_setting
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
    count = max(1, min(usable_threads(None), len(trainers)))
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


class Ensemble:
    """Networks of the same settings and different seeds, whose predictions are averaged.

    Parameters
    ----------
    trainer : Trainer
        Settings of the members; stays unchanged. With a seed, those of the members are drawn by
        ``numpy.random.SeedSequence(seed).spawn``. Callbacks as in :func:`fit_many`.
    k : int, default 8
        Number of members.

    Attributes
    ----------
    members : list of Trainer
    """

    def __init__(self, trainer: Trainer, k: int = 8) -> None:
        if not isinstance(trainer, Trainer):
            raise TypeError(f"trainer must be a Trainer; got {type(trainer).__name__}")
        if not isinstance(k, int) or isinstance(k, bool) or k < 1:
            raise ValueError(f"k must be an integer >= 1; got {k!r}")
        self.members = [copy.deepcopy(trainer) for _ in range(k)]
        if trainer.seed is not None:
            drawn = np.random.SeedSequence(trainer.seed).spawn(k)
            for member, sequence in zip(self.members, drawn, strict=True):
                member.seed = int(sequence.generate_state(1)[0])

    def fit(
        self,
        X: npt.ArrayLike,
        Y: npt.ArrayLike,
        *,
        sample_weight: npt.ArrayLike | None = None,
        validation_data: Sequence[Any] | None = None,
    ) -> Ensemble:
        """Fit all members in parallel, see :func:`fit_many`; raises as ``Trainer.fit``."""
        fit_many(self.members, X, Y, sample_weight=sample_weight, validation_data=validation_data)
        return self

    def predict_proba(self, X: npt.ArrayLike) -> npt.NDArray[np.floating]:
        """Return the mean of the members' probabilities; raises as ``Trainer.predict_proba``."""
        mean: npt.NDArray[np.floating] = np.mean(self._all("predict_proba", X), axis=0)
        return mean

    def predict(self, X: npt.ArrayLike) -> Array:
        """Return the most probable labels, or the mean predicted numbers; raises as
        ``Trainer.predict``."""
        outputs = self._outputs()
        if outputs.metric == "r2":
            return np.asarray(np.mean(self._all("predict", X), axis=0))
        return outputs.labels_of(self.predict_proba(X))

    def spread(self, X: npt.ArrayLike) -> npt.NDArray[np.floating]:
        """Return the standard deviation over the members of probabilities or predicted numbers."""
        name = "predict" if self._outputs().metric == "r2" else "predict_proba"
        deviations: npt.NDArray[np.floating] = np.std(self._all(name, X), axis=0)
        return deviations

    def evaluate(
        self, X: npt.ArrayLike, Y: npt.ArrayLike, sample_weight: npt.ArrayLike | None = None
    ) -> dict[str, float]:
        """Return the mean ``loss`` and the ``metrics`` of the averaged predictions; raises as
        ``Trainer.evaluate``."""
        metrics = check_setting("metrics", self.members[0].metrics)
        return averaged_scores(self.members, X, Y, sample_weight, metrics)

    def score(
        self, X: npt.ArrayLike, Y: npt.ArrayLike, sample_weight: npt.ArrayLike | None = None
    ) -> float:
        """Return the accuracy, or R² for numbers; raises as ``evaluate``."""
        scores = averaged_scores(self.members, X, Y, sample_weight, None)
        return scores[self._outputs().metric]

    def _outputs(self) -> Outputs:
        return self.members[0].model_.encoding.outputs

    def _all(self, name: str, X: npt.ArrayLike) -> list[Array]:
        return [getattr(member, name)(X) for member in self.members]
