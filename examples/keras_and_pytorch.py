"""Weights from Keras and PyTorch, and back: ``python examples/keras_and_pytorch.py``.

A network starts in Keras, trains on in fastmlp, moves to PyTorch for an epoch, and returns through
fastmlp to Keras. Keras has the weights in the form of ``get_weights``, PyTorch has each W
transposed. Only what is installed takes part: ``pip install keras jax``, ``pip install torch``.
"""

import os
from importlib.util import find_spec
from typing import Any

import numpy as np
import numpy.typing as npt
from mnist import load_mnist
from picture import parse_args, write

from fastmlp import Trainer

Array = npt.NDArray[Any]

N_ROWS, HIDDEN, N_CLASSES = 12_000, (128, 64), 10
EPOCHS = {"Keras": 1, "fastmlp": 3, "PyTorch": 1}
BATCH_SIZE, LEARNING_RATE = 32, 0.001


class KerasNetwork:
    """A network of Keras, on JAX unless another backend is chosen."""

    def __init__(self, seed: int) -> None:
        os.environ.setdefault("KERAS_BACKEND", "jax")  # must be set before the import
        import keras

        keras.utils.set_random_seed(seed)
        dense = keras.layers.Dense
        layers = [dense(units, activation="relu") for units in HIDDEN]
        self._model = keras.Sequential([*layers, dense(N_CLASSES, activation="softmax")])
        self._model.build((None, 784))
        adam = keras.optimizers.Adam(LEARNING_RATE)
        self._model.compile(adam, loss="sparse_categorical_crossentropy")

    def get_weights(self) -> list[Array]:
        return list(self._model.get_weights())

    def set_weights(self, weights: list[Array]) -> None:
        self._model.set_weights(weights)

    def train(self, X: Array, Y: Array) -> None:
        self._model.fit(X, Y, batch_size=BATCH_SIZE, verbose=0)

    def predict_proba(self, X: Array) -> Array:
        return np.asarray(self._model.predict(X, batch_size=1_000, verbose=0))


class TorchNetwork:
    """A network of PyTorch."""

    def __init__(self, seed: int) -> None:
        import torch

        torch.manual_seed(seed)
        first, second = HIDDEN
        self._torch, linear, relu = torch, torch.nn.Linear, torch.nn.ReLU
        self._model = torch.nn.Sequential(
            linear(784, first), relu(), linear(first, second), relu(), linear(second, N_CLASSES)
        )

    def get_weights(self) -> list[Array]:
        arrays = [parameter.detach().numpy() for parameter in self._model.parameters()]
        return [array.T for array in arrays]  # of a bias, .T is the bias

    def set_weights(self, weights: list[Array]) -> None:
        with self._torch.no_grad():
            for parameter, array in zip(self._model.parameters(), weights, strict=True):
                parameter.copy_(self._torch.tensor(array.T))

    def train(self, X: Array, Y: Array) -> None:
        rows, labels = self._torch.tensor(X), self._torch.tensor(Y.astype(np.int64))
        adam = self._torch.optim.Adam(self._model.parameters(), LEARNING_RATE)
        loss = self._torch.nn.CrossEntropyLoss()
        for batch in self._torch.randperm(len(X)).split(BATCH_SIZE):
            adam.zero_grad()
            loss(self._model(rows[batch]), labels[batch]).backward()
            adam.step()

    def predict_proba(self, X: Array) -> Array:
        with self._torch.no_grad():
            return np.asarray(self._model(self._torch.tensor(X)).softmax(1))


def main() -> None:
    args = parse_args("Exchange weights with Keras and PyTorch.", "keras_and_pytorch")
    X, Y, X_test, Y_test = load_mnist()
    X, Y = X[:N_ROWS], Y[:N_ROWS]
    trainer = Trainer(
        HIDDEN, optimizer="adam", learning_rate=LEARNING_RATE, schedule="constant", epochs=1,
        batch_size=BATCH_SIZE, scaling=None, seed=args.seed, warm_start=True,
    )  # fmt: skip
    networks: dict[str, Any] = {"fastmlp": trainer}
    for name, package, kind in (
        ("Keras", "keras", KerasNetwork), ("PyTorch", "torch", TorchNetwork),
    ):  # fmt: skip
        if find_spec(package) is None:
            print(f"{name} is not installed")
        else:
            networks[name] = kind(args.seed)
    if len(networks) == 1:
        raise SystemExit("this needs one of them: pip install keras jax, or pip install torch")
    accuracies: list[tuple[str, float]] = []
    differences: dict[str, Array] = {}
    previous = None
    for name in ("Keras", "fastmlp", "PyTorch", "fastmlp", "Keras"):
        if name not in networks or name == previous:
            continue
        network = networks[name]
        if previous is not None:
            network.set_weights(networks[previous].get_weights())
            gaps = network.predict_proba(X_test) - networks[previous].predict_proba(X_test)
            differences[f"{previous} to {name}"] = gaps = np.abs(gaps)
            print(f"{previous} to {name}: largest difference of probabilities {gaps.max():.1e}")
        for _ in range(EPOCHS[name]):
            network.fit(X, Y) if name == "fastmlp" else network.train(X, Y)
            right = network.predict_proba(X_test).argmax(axis=1) == Y_test
            accuracies.append((name, float(right.mean())))
        print(f"{name}: test accuracy {accuracies[-1][1]:.2%}")
        previous = name

    worst = max(gaps.max() for gaps in differences.values())
    message = (
        f"Networks move between systems without loss: in {len(differences)} moves no probability "
        f"changed by more than {worst:.0e}."
    )
    print(message)

    def draw(*axes: Any) -> None:
        systems, values = zip(*accuracies, strict=True)
        epochs = np.arange(len(values)) + 1
        axes[0].plot(epochs, values, color="0.7", zorder=1)
        for k, name in enumerate(networks):
            own = np.array(systems) == name
            axes[0].plot(epochs[own], np.array(values)[own], "o", color=f"C{k}", label=name)
        axes[0].set(
            xticks=epochs, xlabel="epoch", ylabel="test accuracy", title="One training, in turn"
        )
        axes[0].yaxis.set_major_formatter("{x:.1%}")
        axes[0].legend(frameon=False)
        bins = np.logspace(-9, -5, 33)
        for name, gaps in differences.items():
            largest = gaps.max(axis=1).clip(bins[0])
            axes[1].hist(largest, bins, histtype="step", linewidth=1.5, label=name)
        axes[1].set(
            xscale="log", xlabel="largest difference of a row's probabilities", ylabel="test rows",
            title="The same weights in two systems",
        )  # fmt: skip
        axes[1].legend(frameon=False, loc="upper right")
        axes[0].figure.suptitle(message)

    write(args.plot, draw, 2)


if __name__ == "__main__":
    main()
