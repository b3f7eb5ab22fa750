"""Keras: ``Model.fit``, on the backend that KERAS_BACKEND names; a callback ends the laps."""

from typing import Any

import numpy as np

from .jobs import Array
from .run import BETA1, BETA2, EPSILON, Run

IMPORTS = ("keras",)


def train(run: Run, keras: Any) -> list[Array]:
    job = run.job
    *hidden, classes = job.layer_sizes[1:]
    layers = [keras.layers.Dense(size, activation="relu") for size in hidden]
    model = keras.Sequential(
        [keras.Input((job.layer_sizes[0],)), *layers, keras.layers.Dense(classes)]
    )
    model.set_weights(run.initial_weights())
    rate = job.learning_rate
    if job.optimizer == "sgd":
        optimizer = keras.optimizers.SGD(rate)
    else:
        optimizer = keras.optimizers.Adam(rate, BETA1, BETA2, EPSILON)
    model.compile(
        optimizer,
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        # One compiled call for 16 steps saves JAX a seventh of an epoch; torch compiles nothing.
        steps_per_execution=16 if keras.backend.backend() == "jax" else 1,
    )
    lap = keras.callbacks.LambdaCallback(on_epoch_end=lambda *_: run.lap())
    run.start()
    model.fit(
        run.X,
        run.Y.astype(np.int32),
        batch_size=job.batch_size,
        epochs=run.epochs,
        shuffle=True,
        verbose=0,
        callbacks=[lap],
    )
    weights: list[Array] = model.get_weights()
    return weights
