"""What scikit-learn asks of an estimator, and its own tests with our classes in place of its."""

import inspect
import re
import subprocess
import sys
from typing import Any

import pytest
from sklearn import neural_network
from sklearn.base import clone
from sklearn.utils.estimator_checks import (
    check_dataframe_column_names_consistency,
    check_inplace_ensure_writeable,
    check_param_validation,
    estimator_checks_generator,
)

import fastmlp
from fastmlp import MLPClassifier, MLPRegressor
from tests.helpers.basics import needs_compiler

CLASSES = [MLPClassifier, MLPRegressor]
# Epochs as in scikit-learn's checks of its own. After 200 of "lbfgs", probabilities of its
# classifier and of ours round to 1, which a check refuses.
ESTIMATORS = [
    kind(solver=solver, max_iter=max_iter)
    for solver, max_iter in (("adam", 100), ("lbfgs", 30))
    for kind in CLASSES
]
OTHERS = [
    check_dataframe_column_names_consistency, check_inplace_ensure_writeable,
    check_param_validation,
]  # fmt: skip


# As by ``parametrize_with_checks``, which in scikit-learn 1.6 makes what pytest refuses.
CHECKS = [
    pytest.param(*case, marks=[pytest.mark.full] if model.solver == "lbfgs" else [])
    for model in ESTIMATORS
    for case in estimator_checks_generator(model)
]


def name(value: Any) -> str:
    return getattr(value, "func", value).__name__ if callable(value) else repr(value)


@needs_compiler
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("estimator", "check"), CHECKS, ids=name)
def test_checks(estimator: Any, check: Any) -> None:
    check(estimator)


@needs_compiler
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("check", OTHERS)
@pytest.mark.parametrize("estimator", ESTIMATORS, ids=name)
def test_checks_left_out(estimator: Any, check: Any) -> None:
    check(type(estimator).__name__, estimator)


# What these need is private in scikit-learn.
PRIVATE = {
    "test_fit": "weights are set before there is a network, besides _coef_grads and others",
    "test_gradient": "_loss_grad_lbfgs",
    "test_learning_rate_warmstart": "_optimizer",
    "test_adaptive_learning_rate": "_optimizer",
}
THEIR_TESTS = """
import sys, pytest, sklearn.neural_network, fastmlp
sklearn.neural_network.MLPClassifier = fastmlp.MLPClassifier
sklearn.neural_network.MLPRegressor = fastmlp.MLPRegressor
sys.exit(pytest.main(sys.argv[1:]))
"""


@needs_compiler
@pytest.mark.costly
def test_their_tests() -> None:
    """In a process of its own, where the classes are exchanged."""
    command = [sys.executable, "-c", THEIR_TESTS, "-q", "-c", "/dev/null", "-p", "no:cacheprovider"]
    command += ["--pyargs", "sklearn.neural_network.tests.test_mlp"]
    command += ["-k", " and ".join(f"not {name}" for name in PRIVATE)]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=600)
    assert ran.returncode == 0, ran.stdout[-3000:]
    passed = re.search(r"(\d+) passed, (\d+) deselected", ran.stdout)
    assert passed
    assert int(passed[1]) > 40


@pytest.mark.parametrize("ours", CLASSES)
def test_parameters(ours: Any) -> None:
    """Theirs come first, with their defaults, and may be given by place where theirs may."""
    theirs = inspect.signature(getattr(neural_network, ours.__name__)).parameters
    mine = inspect.signature(ours).parameters
    assert [name for name in mine if name in theirs] == list(theirs)
    for name, parameter in theirs.items():
        assert mine[name].default == parameter.default
        assert mine[name].kind == parameter.kind
    further = [name for name in mine if name not in theirs and name != "loss"]  # since 1.7
    assert all(mine[name].kind == inspect.Parameter.KEYWORD_ONLY for name in further)


@pytest.mark.parametrize("ours", CLASSES)
def test_arguments_are_stored_as_they_are(ours: Any) -> None:
    """Even what no fit accepts; a copy has the same."""
    given = {name: object() for name in inspect.signature(ours).parameters}
    model = ours(**given)
    assert model.get_params() == given
    assert clone(ours(alpha="a lot").set_params(solver=3)).get_params()["solver"] == 3


def test_the_loss_of_the_classifier() -> None:
    """An attribute that is no parameter, as there."""
    assert MLPClassifier().loss == neural_network.MLPClassifier().loss
    assert "loss" not in MLPClassifier().get_params()


def run(code: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300)


@pytest.mark.costly
def test_scikit_learn_is_loaded_when_it_is_needed() -> None:
    code = "import sys, fastmlp; assert 'sklearn' not in sys.modules; "
    ran = run(code + "from fastmlp import MLPClassifier; assert 'sklearn' in sys.modules")
    assert ran.returncode == 0, ran.stderr


@needs_compiler
@pytest.mark.costly
def test_without_scikit_learn() -> None:
    """A trainer trains; the estimators name the extra."""
    code = "import sys; sys.modules['sklearn'] = None; import numpy as np, fastmlp; "
    code += "X = np.eye(9); fastmlp.Trainer(epochs=2).fit(X, X[:, 0] > 0).predict(X); "
    ran = run(code + "fastmlp.MLPClassifier")
    assert ran.stderr.splitlines()[-1] == (
        "ImportError: MLPClassifier and MLPRegressor need scikit-learn 1.6 or newer: "
        "pip install 'fastmlp[sklearn]'"
    )


@pytest.mark.costly
def test_without_scikit_learn_help_and_stars_work() -> None:
    """Both read each name that the package lists."""
    code = (
        "import sys; sys.modules['sklearn'] = None; import pydoc, fastmlp; "
        "from fastmlp import *; assert fit_many is fastmlp.fit_many; "
        "assert 'fit_many' in pydoc.render_doc(fastmlp)"
    )
    ran = run(code)
    assert ran.returncode == 0, ran.stderr


def test_other_names() -> None:
    with pytest.raises(AttributeError, match="'fastmlp' has no attribute 'MLP'"):
        fastmlp.MLP  # noqa: B018
    assert {"MLPClassifier", "MLPRegressor"} <= set(dir(fastmlp))
