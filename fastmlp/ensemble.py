"""Ensemble: networks of the same settings, fitted in parallel, whose predictions are averaged."""

from __future__ import annotations

import copy
import os
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from .checks import COUNT
from .data import Array
from .inference.averaged import averaged_scores
from .inference.exists_if import exists_if
from .network.model_files import content_of, save_model, warn_of_callbacks
from .network.state_types import check_ensemble
from .outputs import Outputs
from .settings import check_setting
from .settings.checks import as_tuple
from .several_fits import fit_many
from .sklearn_protocol import SklearnProtocol
from .trainer import Trainer


class Ensemble(SklearnProtocol):
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
    classes_, n_features_in_, feature_names_in_
        As of a trainer.
    """

    def __init__(self, trainer: Trainer, k: int = 8) -> None:
        if not isinstance(trainer, Trainer):
            raise TypeError(f"trainer must be a Trainer; got {type(trainer).__name__}")
        k = COUNT["check"]("k", k)
        self._trainer = copy.copy(trainer)  # the given one may change
        self.members = [copy.deepcopy(trainer) for _ in range(k)]
        if trainer.seed is not None:
            drawn = np.random.SeedSequence(trainer.seed).spawn(k)
            for member, sequence in zip(self.members, drawn, strict=True):
                member.seed = int(sequence.generate_state(1)[0])

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write all that predictions and further training need to a file, see ``Trainer.save``."""
        save_model(path, self._file_content)
        warn_of_callbacks(as_tuple(self._trainer.callbacks))

    def _file_content(self) -> bytes:
        members = [member.file_state() for member in self.members]
        own = {k: v for k, v in vars(self).items() if k not in ("members", "_trainer")}
        values = {"attributes": own, "trainer": self._trainer.file_state(), "members": members}
        return content_of(self, values)

    @classmethod
    def from_file_state(cls, values: dict[str, Any], callbacks: Any) -> Ensemble:
        """Return the ensemble of the values in a file; raises as ``Trainer.from_file_state``."""
        check_ensemble(values, cls)
        new = cls.__new__(cls)
        trainer, *members = (
            Trainer.from_file_state(state, callbacks)
            for state in (values["trainer"], *values["members"])
        )
        vars(new).update(values["attributes"], _trainer=trainer, members=members)
        return new

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._trainer!r}, k={len(self.members)})"

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return ``trainer`` and ``k``; with ``deep`` also the settings, as ``trainer__epochs``."""
        params = {"trainer": self._trainer, "k": len(self.members)}
        nested = self._trainer.get_params() if deep else {}
        return params | {f"trainer__{name}": value for name, value in nested.items()}

    def set_params(self, **params: Any) -> Ensemble:
        """Begin anew with other parameters, named as in ``get_params``; fits are forgotten.

        Raises
        ------
        ValueError, TypeError
            For an unknown name or an unusable value; the ensemble then stays unchanged.
        """
        prefix = "trainer__"
        nested = {name: value for name, value in params.items() if name.startswith(prefix)}
        own = self.get_params(deep=False) | {k: v for k, v in params.items() if k not in nested}
        if unknown := own.keys() - {"trainer", "k"}:
            wanted = "trainer, k, or settings such as trainer__epochs"
            raise ValueError(f"parameters must be {wanted}; got {sorted(unknown)}")
        settings = {name.removeprefix(prefix): value for name, value in nested.items()}
        trainer = type(self)(**own)._trainer.set_params(**settings)
        if params:
            vars(self).update(vars(type(self)(trainer, own["k"])))
        return self

    def __sklearn_is_fitted__(self) -> bool:
        return self.members[0].__sklearn_is_fitted__()

    def __sklearn_tags__(self) -> Any:
        return self.members[0].__sklearn_tags__()

    @property
    def classes_(self) -> Array:
        """Labels of the classes, as of a trainer."""
        return self.members[0].classes_

    @property
    def n_features_in_(self) -> int:
        """Number of columns of X."""
        return self.members[0].n_features_in_

    @property
    def feature_names_in_(self) -> npt.NDArray[np.object_]:
        """Names of the columns of X, if it was a table with names."""
        return self.members[0].feature_names_in_

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

    def _check_probabilities(self) -> None:
        self.members[0].predict_proba  # noqa: B018  # exists or not

    @exists_if(_check_probabilities)
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
        return averaged_scores(self.members, [(X, Y, sample_weight)], metrics)

    def score(
        self, X: npt.ArrayLike, Y: npt.ArrayLike, sample_weight: npt.ArrayLike | None = None
    ) -> float:
        """Return the accuracy, or R² for numbers; raises as ``evaluate``."""
        scores = averaged_scores(self.members, [(X, Y, sample_weight)], None)
        return scores[self._outputs().metric]

    def to_onnx(self, path: str | os.PathLike[str]) -> None:
        """Write one ONNX file that averages the members; raises as ``Trainer.to_onnx``."""
        from .onnx import write_onnx  # 3 ms of a start

        write_onnx([member.model_ for member in self.members], path)

    def _outputs(self) -> Outputs:
        return self.members[0].model_.encoding.outputs

    def _all(self, name: str, X: npt.ArrayLike) -> list[Array]:
        return [getattr(member, name)(X) for member in self.members]
