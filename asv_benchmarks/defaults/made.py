"""The first sets: well-known small data, and synthetic data in the units of real columns.

Each has one trait of raw data: columns of different sizes, large offsets, heavy
tails, pixels in bytes, wrong labels, few rows of a class, many classes, useless columns.
"""

from typing import Any

import numpy as np

from ..race.jobs import MNIST, Array


def _teacher(rng: np.random.Generator, Z: Array, n_outputs: int) -> Array:
    """Values of a random network with one hidden layer: smooth, but far from linear."""
    hidden = np.tanh(Z @ rng.normal(0, 1.5, (Z.shape[1], 12)) + rng.normal(0, 1, 12))
    return np.asarray(hidden @ rng.normal(0, 1, (12, n_outputs)) + 0.3 * Z[:, :1])


def _classes(rng: np.random.Generator, Z: Array, n_classes: int, noise: float = 0.2) -> Array:
    values = _teacher(rng, Z, n_classes)
    values = (values - values.mean(axis=0)) / values.std(axis=0)
    return np.asarray((values + noise * rng.normal(size=values.shape)).argmax(axis=1))


def _built_in(name: str) -> tuple[Array, Array]:
    from sklearn import datasets

    X, y = getattr(datasets, f"load_{name}")(return_X_y=True)
    return X, y


def digits() -> tuple[Array, Array]:
    """8 × 8 pixels as bytes."""
    X, y = _built_in("digits")
    return np.round(X * (255 / 16)).astype(np.uint8), y


def mnist() -> tuple[Array, Array]:
    """10,000 images in bytes."""
    with np.load(MNIST) as data:
        images, labels = data["train_images"][:10_000], data["train_labels"][:10_000]
    return images.reshape(len(images), -1), labels.astype(np.int64)


def ages_and_incomes() -> tuple[Array, Array]:
    rng = np.random.default_rng(1)
    Z = rng.normal(size=(3_000, 6))
    y = _classes(rng, Z, 2)
    ages, incomes, debts = (
        45 + 15 * Z[:, 0],
        30_000 * np.exp(0.6 * Z[:, 1]),
        5_000 * np.exp(Z[:, 2]),
    )
    children, rooms, owner = np.round(np.abs(2 * Z[:, 3])), np.round(4 + Z[:, 4]), Z[:, 5] > 0
    return np.column_stack([np.round(ages), incomes, debts, children, rooms, owner]), y


def years() -> tuple[Array, Array]:
    """Years from 1980 to 2020, months and days; the class depends on decade and season."""
    rng = np.random.default_rng(2)
    Z = rng.uniform(-1.7, 1.7, (2_000, 4))
    y = _classes(rng, Z, 3)
    scale, centre = np.array([11.7, 3.2, 8.8, 120.0]), np.array([2000.0, 6.5, 15.5, 1950.0])
    return np.round(centre + scale * Z), y


def heavy_tails() -> tuple[Array, Array]:
    """Features with some values a thousand times the usual."""
    rng = np.random.default_rng(3)
    Z = rng.normal(size=(4_000, 10))
    y = _classes(rng, Z, 3)
    X = Z.copy()
    X[:, :5] = np.sinh(2 * Z[:, :5])
    X[:, 5:8] = 100 * np.exp(1.5 * Z[:, 5:8])
    return X, y


def label_noise() -> tuple[Array, Array]:
    """A fifth of the labels are random."""
    rng = np.random.default_rng(4)
    Z = rng.normal(size=(2_000, 10))
    y = _classes(rng, Z, 4)
    wrong = rng.random(len(y)) < 0.2
    y[wrong] = rng.integers(4, size=wrong.sum())
    return 10 * Z + 50, y


def unbalanced() -> tuple[Array, Array]:
    """One row in twenty is of the second class."""
    rng = np.random.default_rng(5)
    Z = rng.normal(size=(5_000, 8))
    values = _teacher(rng, Z, 1)[:, 0] + 0.3 * rng.normal(size=len(Z))
    return Z * np.logspace(-2, 3, 8), (values > np.quantile(values, 0.95)).astype(np.int64)


def many_classes() -> tuple[Array, Array]:
    """60 clouds of 50 rows each."""
    rng = np.random.default_rng(6)
    y = np.repeat(np.arange(60), 50)
    X = rng.normal(0, 2, (60, 20))[y] + rng.normal(0, 1.3, (len(y), 20))
    return 1_000 + 200 * X, y


def useless_features() -> tuple[Array, Array]:
    """6 of 150 columns are informative; 10 are constant."""
    rng = np.random.default_rng(7)
    Z = rng.normal(size=(1_500, 150))
    y = _classes(rng, Z[:, :6], 2, noise=0.1)
    Z[:, -10:] = 7.0
    return Z[:, rng.permutation(150)] * 20, y


def seconds() -> tuple[Array, Array]:
    """Seconds since 1970 within a month, sensors at a million and a little, and counts."""
    rng = np.random.default_rng(8)
    Z = rng.normal(size=(1_500, 5))
    y = _classes(rng, Z, 3)
    scale, centre = np.array([6e5, 1.0, 0.5, 30, 1e-3]), np.array([1.7e9, 1e6, 1e6, 200, 0.0])
    return centre + scale * Z, y


def thousands() -> tuple[Array, Array]:
    """Prices of houses by area, rooms, year, distance and ground, with an error of a tenth."""
    rng = np.random.default_rng(9)
    area, rooms = rng.gamma(6, 20, 3_000), rng.integers(1, 9, 3_000)
    year, distance = rng.integers(1900, 2021, 3_000), rng.exponential(8_000, 3_000)
    ground = area * rng.lognormal(1, 0.7, 3_000)
    price = (1_500 * area + 60 * ground + 9_000 * rooms) * (1.6 - np.tanh(distance / 1e4))
    price *= 1 + ((year - 1960) / 60) ** 2 / 2
    X = np.column_stack([area, rooms, year, distance, ground])
    return X, price * rng.lognormal(0, 0.1, 3_000)


def friedman() -> tuple[Array, Array]:
    from sklearn.datasets import make_friedman1

    X, y = make_friedman1(2_000, n_features=10, noise=1.0, random_state=0)
    return X, y


def skewed_target() -> tuple[Array, Array]:
    """Most targets are small, some a hundred times as large."""
    rng = np.random.default_rng(10)
    Z = rng.normal(size=(2_500, 8))
    values = _teacher(rng, Z, 1)[:, 0]
    target = 100 * np.exp(values / values.std() + 0.2 * rng.normal(size=len(Z)))
    return 5 * Z + 100, target


CLASSES: dict[str, Any] = {
    "iris": lambda: _built_in("iris"),
    "wine": lambda: _built_in("wine"),
    "breast_cancer": lambda: _built_in("breast_cancer"),
    "digits": digits,
    "mnist": mnist,
    "ages_and_incomes": ages_and_incomes,
    "years": years,
    "heavy_tails": heavy_tails,
    "label_noise": label_noise,
    "unbalanced": unbalanced,
    "many_classes": many_classes,
    "useless_features": useless_features,
    "seconds": seconds,
}
NUMBERS: dict[str, Any] = {
    "diabetes": lambda: _built_in("diabetes"),
    "thousands": thousands,
    "friedman": friedman,
    "skewed_target": skewed_target,
}
