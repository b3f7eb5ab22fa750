"""Estimators in model files."""

from __future__ import annotations

import os
import reprlib
from typing import Any, TypeVar

import numpy as np

from ..network.model_files import content_of, save_model, warn_of_callbacks
from ..network.state_types import check_requests, each, integer, is_a, number, optional
from ..settings.checks import as_tuple
from ..trainer import Trainer
from .fitted import Fitted

T = TypeVar("T", bound="Saved")

# Attributes that scikit-learn's ``set_callbacks`` and a fit with callbacks leave.
_OF_CALLBACKS = "_skl_callbacks", "_skl_callbacks_to_teardown"
# The attribute of ``set_fit_request`` and similar methods, and the methods that take metadata.
_REQUESTS, _METHODS = "_metadata_request", ("fit", "partial_fit", "score")
_is_text = is_a(str)
# Attributes of every fitted estimator, and tests of their types.
_FITTED = {
    "n_features_in_": integer, "n_layers_": integer, "n_outputs_": integer, "t_": integer,
    "n_iter_": integer, "out_activation_": _is_text,
}  # fmt: skip
# Attributes of estimators with epochs: "lbfgs" has none.
_OF_EPOCHS = {
    "loss_": number, "loss_curve_": each(list, number), "best_loss_": optional(number),
    "validation_scores_": optional(each(list, number)),
    "best_validation_score_": optional(number), "_no_improvement_count": integer,
}  # fmt: skip
# Scores of which some are None, and which: without early stopping, and with it.
_BEST = "best_loss_", "validation_scores_", "best_validation_score_"
_MISSING = [False, True, True], [True, False, False]


class Saved(Fitted):
    """The part of an estimator that is written to files and read from them."""

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write all that predictions and further training need to a file.

        ``fastmlp.load(path)`` returns an estimator in the same state. See ``Trainer.save`` for the
        path, what a file cannot hold, and errors; ``scoring`` must be a name.
        """
        save_model(path, self._file_content)
        warn_of_callbacks([*self._given_callbacks(), *getattr(self, _OF_CALLBACKS[0], ())])

    def _given_callbacks(self) -> tuple[Any, ...]:
        return () if self.callbacks is None else as_tuple(self.callbacks)

    def _file_content(self) -> bytes:
        self._check_attributes()
        attributes = {k: v for k, v in self.__getstate__().items() if k not in _OF_CALLBACKS}
        attributes["callbacks"] = None
        if requests := attributes.get(_REQUESTS):
            attributes[_REQUESTS] = {name: getattr(requests, name).requests for name in _METHODS}
        if "trainer_" in attributes:
            attributes["trainer_"] = attributes["trainer_"].file_state()
        return content_of(self, {"attributes": attributes})

    @classmethod
    def from_file_state(cls: type[T], values: dict[str, Any], callbacks: Any) -> T:
        """Return the estimator of the values in a file; raises as ``Trainer.from_file_state``."""
        attributes = values.get("attributes")
        if type(attributes) is not dict or len(values) != 2:
            raise ValueError("it lacks attributes, or has others")
        parameters = cls().get_params()
        if missing := parameters.keys() - attributes.keys():
            raise ValueError(f"it lacks {', '.join(sorted(missing))}")
        for name in attributes.keys() - parameters.keys():
            if hasattr(cls, name) or name == "_is_fitting":
                raise ValueError(f"its attribute {name!r} is none of an estimator's own")
        requests = attributes.pop(_REQUESTS, {})
        check_requests(requests)
        attributes["callbacks"] = callbacks or None
        new = cls.__new__(cls)
        new.__dict__.update(attributes)
        if requests:
            new._restore_requests(requests)
        if "trainer_" in attributes:
            new.trainer_ = Trainer.from_file_state(attributes["trainer_"], callbacks)
        new._check_attributes()
        return new

    def _restore_requests(self, requests: dict[str, dict[str, Any]]) -> None:
        routing = self.get_metadata_routing()
        for method in _METHODS:
            for name, alias in requests.get(method, {}).items():
                getattr(routing, method).add_request(param=name, alias=alias)
        setattr(self, _REQUESTS, routing)

    def _check_attributes(self) -> None:
        """Check parameters as a fit does, and the attributes of a fit, if any."""
        self._validate_params()
        if hasattr(self, "trainer_"):
            self._check_fitted()

    def _check_fitted(self) -> None:
        """Raise a ValueError unless the attributes of a fit are there and fit its network."""
        own, has_epochs = vars(self), len(self.trainer_.history) > 0
        for name, test in (_FITTED | (_OF_EPOCHS if has_epochs else {})).items():
            if name not in own or not test(own[name]):
                raise ValueError(f"its {name} is {reprlib.repr(own.get(name))}")
        if has_epochs and [own[name] is None for name in _BEST] not in _MISSING:
            raise ValueError(f"its {', '.join(_BEST)} belong to different ways of stopping")
        model = self.trainer_.model_
        n_features = model.encoding.inputs.columns.n_given
        known = n_features, model.encoding.outputs.count, len(model.network.layer_sizes)
        if (own["n_features_in_"], own["n_outputs_"], own["n_layers_"]) != known:
            raise ValueError(f"its features, outputs and layers are not {known}, as in its network")
        if "feature_names_in_" in own and np.shape(own["feature_names_in_"]) != (n_features,):
            raise ValueError(f"its feature_names_in_ are not {n_features}")
