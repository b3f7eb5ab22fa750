"""What scikit-learn's pipelines, searches and ensembles ask of an estimator.

scikit-learn is imported by the methods that its own code calls, never before.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, TypeVar

from .did_you_mean import did_you_mean
from .inference.predictor import Predictor
from .settings import check_setting
from .settings.checks import keeps_zeros

T = TypeVar("T", bound="SklearnProtocol")
P = TypeVar("P", bound="SklearnPredictor")

Requests = Mapping[str, Mapping[str, Any]]


class SklearnProtocol:
    """Copies, display and routing of metadata, for a class with ``get_params`` and ``fit``."""

    # What ``set_fit_request`` and its like were given, by method and argument.
    _requests: Requests = MappingProxyType({})

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the arguments of the constructor, by name."""
        raise NotImplementedError

    def set_params(self: T, **params: Any) -> T:
        """Assign parameters by name, all of them or, where one is refused, none.

        Raises
        ------
        ValueError, TypeError
            For an unknown name, or a value that the assignment would refuse.
        """
        known = tuple(self.get_params(deep=False))
        for name, value in params.items():
            whole = name.partition("__")[0]
            if name in known:
                self._check_parameter(name, value)
            elif whole in known:
                raise ValueError(f"{whole!r} is set as a whole, not by parts; got {name!r}")
            else:
                hint = did_you_mean(name, known) or f"; there are {', '.join(known)}"
                raise ValueError(f"{type(self).__name__} has no setting {name!r}{hint}")
        for name, value in params.items():
            setattr(self, name, value)
        return self

    def _check_parameter(self, name: str, value: Any) -> None:
        check_setting(name, value)

    def __sklearn_clone__(self: T) -> T:
        params = self.get_params(deep=False)
        nested = (name for name in params if isinstance(params[name], SklearnProtocol))
        new = type(self)(**params | {name: params[name].__sklearn_clone__() for name in nested})
        if self._requests:
            new._requests = self._requests
        return new

    def _repr_html_(self) -> str | None:
        """Return scikit-learn's diagram for notebooks; None, for plain text, without it."""
        try:
            from sklearn import get_config
            from sklearn.utils import estimator_html_repr
        except ImportError:
            return None
        return estimator_html_repr(self) if get_config()["display"] == "diagram" else None

    def set_fit_request(self: T, **requests: bool | str | None) -> T:
        """Tell scikit-learn which metadata to pass on to ``fit``, such as ``sample_weight=True``.

        Raises
        ------
        RuntimeError
            Unless ``sklearn.set_config(enable_metadata_routing=True)`` was called.
        TypeError, ValueError
            For a name that is no such argument of the method, or a value that scikit-learn refuses.
        """
        return self._with_requests("fit", requests)

    def set_score_request(self: T, **requests: bool | str | None) -> T:
        """The same for ``score``."""
        return self._with_requests("score", requests)

    def _with_requests(self: T, method: str, requests: Mapping[str, Any]) -> T:
        from sklearn import get_config

        if not get_config().get("enable_metadata_routing"):
            advice = "sklearn.set_config(enable_metadata_routing=True)"
            raise RuntimeError(f"set_{method}_request has no effect without {advice}")
        new = {**self._requests, method: {**self._requests.get(method, {}), **requests}}
        self._routing(new)
        self._requests = new
        return self

    def get_metadata_routing(self) -> Any:
        """Return the metadata that the methods take and ask for, as scikit-learn reads it."""
        return self._routing(self._requests)

    @property
    def _metadata_request(self) -> Any:  # scorers of scikit-learn 1.6 and 1.7 read it
        return self._routing(self._requests)

    def _routing(self, requests: Requests) -> Any:
        from sklearn.utils.metadata_routing import MetadataRequest

        routing = MetadataRequest(owner=type(self).__name__)
        for method in filter(lambda name: hasattr(self, name), ("fit", "partial_fit", "score")):
            _, _, *rest = inspect.signature(getattr(self, method)).parameters.values()  # X, Y
            names = [known.name for known in rest if known.kind != known.VAR_KEYWORD]
            asked = requests.get(method, {})
            if unknown := set(asked) - set(names):
                wanted = f"arguments among {', '.join(names)}"
                raise TypeError(f"set_{method}_request takes {wanted}; got {sorted(unknown)}")
            for name in names:
                getattr(routing, method).add_request(param=name, alias=asked.get(name))
        return routing


class SklearnPredictor(SklearnProtocol, Predictor):
    """A trainer as an estimator: its settings are the parameters."""

    def __sklearn_clone__(self: P) -> P:
        # Not by the constructor: those of subclasses take other arguments, which stay.
        new = object.__new__(type(self))
        vars(new).update(vars(self) | self.get_params())
        new.__post_init__()
        return new

    def __sklearn_is_fitted__(self) -> bool:
        return self._model is not None

    def __sklearn_tags__(self) -> Any:
        """Describe what can be fitted: with loss="auto" classes, until a fit has found numbers."""
        from sklearn.utils import ClassifierTags, InputTags, RegressorTags, Tags, TargetTags

        loss = check_setting("loss", self.loss)
        if loss is None and self._model is not None:
            loss = self._model.encoding.outputs.loss
        is_numeric = loss is not None and loss.is_numeric
        return Tags(
            estimator_type="regressor" if is_numeric else "classifier",
            target_tags=TargetTags(
                required=True,
                multi_output=is_numeric and loss.count == 1,
                positive_only=is_numeric and loss.targets == "counts",
            ),
            regressor_tags=RegressorTags() if is_numeric else None,
            classifier_tags=None if is_numeric else ClassifierTags(multi_label=True),
            input_tags=InputTags(
                categorical=True,
                allow_nan=self.missing == "impute",
                sparse=self.missing == "error" and keeps_zeros(self.scaling),
            ),
        )
