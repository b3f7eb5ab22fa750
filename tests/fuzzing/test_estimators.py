"""Random parameters of the estimators, and sequences of calls: one and several threads agree."""

import copy
import pickle
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.base import clone

from fastmlp import MLPClassifier, MLPRegressor
from tests.fuzzing.trials import flat, only_warnings_for_users, trials
from tests.helpers.basics import needs_compiler
from tests.helpers.models import X, Y

pytestmark = [needs_compiler, pytest.mark.repeated]

PARAMETERS: dict[str, list[Any]] = {
    "hidden_layer_sizes": [5, (), (4, 3)],
    "activation": ["relu", "identity", "logistic", "tanh"],
    "solver": ["adam", "sgd", "lbfgs"],
    "alpha": [0.0, 0.1],
    "batch_size": ["auto", 7, 1000],
    "learning_rate": ["constant", "invscaling", "adaptive"],
    "learning_rate_init": [0.01, 1e6],
    "max_iter": [2, 5],
    "shuffle": [True, False],
    "tol": [1e-4, 10.0],
    "warm_start": [False, True],
    "momentum": [0.9, 0.0],
    "nesterovs_momentum": [True, False],
    "early_stopping": [False, True],
    "n_iter_no_change": [1, 10],
    "dropout": [0.0, 0.3],
    "scaling": [None, "standard", "piecewise"],
    "dtype": [None, "float32"],
}
parameters = st.fixed_dictionaries(
    {},
    optional={name: st.sampled_from(values) for name, values in PARAMETERS.items()},
)
TARGETS: dict[str, tuple[Any, Any]] = {
    "classes": (MLPClassifier, Y),
    "names": (MLPClassifier, np.array(["a", "b", "c"])[Y]),
    "pair": (MLPClassifier, Y > 0),
    "labels": (MLPClassifier, np.eye(3, dtype=int)[Y][:, :2]),
    "numbers": (MLPRegressor, X[:, 0] * 100),
    "columns": (MLPRegressor, X[:, :2]),
}


def partial_fit(model: Any, X: Any, Y: Any) -> Any:
    return model.partial_fit(X, Y, *([np.unique(Y)] if isinstance(model, MLPClassifier) else []))


CALLS: dict[str, Callable[[Any, Any, Any], Any]] = {
    "fit": lambda model, X, Y: model.fit(X, Y),
    "partial_fit": partial_fit,
    "predict": lambda model, X, Y: model.predict(X),
    "predict_proba": lambda model, X, Y: model.predict_proba(X),
    "score": lambda model, X, Y: model.score(X, Y),
    "pickle": lambda model, X, Y: pickle.loads(pickle.dumps(model)).predict(X),
    "copy": lambda model, X, Y: copy.deepcopy(model).fit(X, Y).predict(X),
}


def learned(model: Any) -> Any:
    return [flat([*model.coefs_, *model.intercepts_]) if hasattr(model, "coefs_") else None]


@pytest.mark.full
def test_estimators(times: int) -> None:
    done: Counter[str] = Counter()

    @trials(100, times)
    @given(
        kind=st.sampled_from(sorted(TARGETS)), params=parameters,
        calls=st.lists(st.sampled_from(sorted(CALLS)), min_size=2, max_size=6),
        rows=st.sampled_from([slice(None), slice(9, 40), slice(0, 59, 2)]),
    )  # fmt: skip
    def run(kind: str, params: dict[str, Any], calls: list[str], rows: slice) -> None:
        make, targets = TARGETS[kind]
        one = make(random_state=0, threads=3, **{"max_iter": 3, **params})
        other = clone(one).set_params(threads=1)
        for name in ["fit", *calls]:
            before, results = learned(one), []
            for model in (one, other):
                with only_warnings_for_users():
                    try:
                        results.append(CALLS[name](model, X[rows], targets[rows]))
                    except (TypeError, ValueError, AttributeError, FloatingPointError) as error:
                        results.append(error)
            assert learned(one) == learned(other)
            got = results[0]
            assert type(got) is type(results[1]), results
            if isinstance(got, Exception):
                assert str(got)
                assert learned(one) == before or "non-finite" in str(got)
            else:
                assert isinstance(got, make) or flat(got) == flat(results[1])
                done[name] += 1

    run()
    assert min(done[name] for name in CALLS) > 2
