"""Optimisers as objects: their names, defaults, checks, and what the update rules get."""

import pickle
from dataclasses import FrozenInstanceError, fields, replace
from typing import Any

import pytest

from fastmlp.kernels.plugins.update_rules import RULES
from fastmlp.optimizers import OPTIMIZERS, SGD, Adagrad, Adam, AdamW, AMSGrad, Lion, RMSprop

# Rule, default rate, numbers of the rule, decay.
DEFAULTS: dict[str, tuple[str, float, dict[str, float], float]] = {
    "sgd": ("sgd", 0.1, {"momentum": 0.0}, 0.0),
    "adam": ("adam", 0.001, {"beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8}, 0.0),
    "adamw": ("adam", 0.001, {"beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8}, 0.004),
    "amsgrad": ("amsgrad", 0.001, {"beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8}, 0.0),
    "rmsprop": ("rmsprop", 0.001, {"beta2": 0.9, "epsilon": 1e-7}, 0.0),
    "adagrad": ("adagrad", 0.001, {"epsilon": 1e-7}, 0.0),
    "lion": ("lion", 0.001, {"beta1": 0.9, "beta2": 0.99}, 0.0),
}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_defaults(name: str) -> None:
    rule, rate, numbers, decay = DEFAULTS[name]
    optimizer = OPTIMIZERS[name]()
    assert (optimizer.rule, optimizer.default_rate, optimizer.decay) == (rule, rate, decay)
    assert dict(optimizer.numbers) == numbers
    assert optimizer.learning_rate is None


def test_every_rule_has_an_optimizer() -> None:
    rules = {kind().rule for kind in OPTIMIZERS.values()}
    rules |= {SGD(momentum=0.5).rule, SGD(momentum=0.5, nesterov=True).rule}
    assert rules == set(RULES)


def test_the_rule_of_sgd_follows_what_is_set() -> None:
    assert SGD(nesterov=False, momentum=0).rule == "sgd"
    assert SGD(momentum=0.9).rule == "momentum"
    assert SGD(momentum=0.9, nesterov=True).rule == "nesterov"
    with pytest.raises(ValueError, match="nesterov of SGD needs momentum > 0; got momentum"):
        SGD(nesterov=True)


WRONG: list[tuple[Any, str, Any, type[Exception]]] = [
    (SGD, "momentum", 1.0, ValueError),
    (SGD, "momentum", -0.1, ValueError),
    (SGD, "momentum", "0.9", TypeError),
    (SGD, "nesterov", 1, TypeError),
    (Adam, "beta1", 1, ValueError),
    (Adam, "beta2", None, TypeError),
    (Adam, "epsilon", 0, ValueError),
    (AdamW, "weight_decay", -1, ValueError),
    (AMSGrad, "epsilon", float("inf"), ValueError),
    (RMSprop, "rho", 1.5, ValueError),
    (RMSprop, "epsilon", float("nan"), ValueError),
    (Adagrad, "epsilon", True, TypeError),
    (Lion, "beta2", 1.0, ValueError),
    *((kind, "learning_rate", 0, ValueError) for kind in OPTIMIZERS.values()),
    *((kind, "learning_rate", "0.1", TypeError) for kind in OPTIMIZERS.values()),
]


@pytest.mark.parametrize(("kind", "name", "value", "error"), WRONG)
def test_a_wrong_value_is_an_error(kind: Any, name: str, value: Any, error: Any) -> None:
    with pytest.raises(error, match=rf"^{name} of {kind.__name__} must be .*; got "):
        kind(**{name: value})


@pytest.mark.parametrize("kind", OPTIMIZERS.values())
def test_objects_are_values(kind: Any) -> None:
    one, other = kind(0.25), kind(learning_rate=0.5)
    assert one != other
    assert one != kind()
    assert one == replace(other, learning_rate=0.25) == pickle.loads(pickle.dumps(one))
    assert hash(one) == hash(kind(0.25))
    assert eval(repr(one), {kind.__name__: kind}) == one
    with pytest.raises(FrozenInstanceError):
        one.learning_rate = 0.1
    assert all(field.metadata for field in fields(one)), "a field without a check"


def test_numbers_follow_the_settings() -> None:
    assert dict(RMSprop(rho=0.5, epsilon=1e-3).numbers) == {"beta2": 0.5, "epsilon": 1e-3}
    assert dict(Lion(beta1=0.5, beta2=0.75).numbers) == {"beta1": 0.5, "beta2": 0.75}
    assert SGD(weight_decay=1).decay == 1.0
