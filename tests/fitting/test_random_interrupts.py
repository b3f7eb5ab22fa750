"""Interrupts at random moments, one or several: nothing is lost, the next fit is as ever."""

import signal

import pytest

from tests.helpers.basics import needs_compiler
from tests.helpers.processes import run

pytestmark = [
    needs_compiler,
    pytest.mark.repeated,
    pytest.mark.threading,
    pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="signals of POSIX"),
]

SCRIPT = """
import os, random, signal, sys, threading, time, warnings
import numpy as np
from fastmlp import EarlyStopping, Ensemble, MLPClassifier, Trainer, fit_many

warnings.simplefilter("ignore")
kind, trials = sys.argv[1], int(sys.argv[2])
rng = np.random.default_rng(0)
X = rng.normal(size=(400, 50)).astype(np.float32)
Y = np.arange(400) % 3
many, labels = np.tile(X, (50, 1)), np.tile(Y, 50)
moments = random.Random(kind)
endless = 10**9
is_inside = False

def handler(*_):
    if is_inside:
        raise KeyboardInterrupt

def interrupted(work):
    # The seconds from the first signal to the end of ``work``, which would take for ever.
    global is_inside
    delays = [moments.uniform(0.0, 0.15)]
    delays += [moments.choice((0, 1e-5, 1e-4, 1e-3, 0.03)) for _ in range(moments.randrange(3))]
    sent = []

    def send():
        for delay in delays:
            time.sleep(delay)
            sent.append(time.perf_counter())
            os.kill(os.getpid(), signal.SIGINT)

    sender = threading.Thread(target=send)
    sender.start()
    try:
        is_inside = True
        while not sent:
            work()
        is_inside = False
    except KeyboardInterrupt:
        is_inside = False
    took = time.perf_counter() - sent[0]
    sender.join()
    assert took < 1, took

def same(one, other):
    return len(one) == len(other) and all(map(np.array_equal, one, other))

def trainer(**options):
    return Trainer((40,), seed=0, threads=2, **{"validation_fraction": 0.1, **options})

def epochs_of(fit, **options):
    # The weights after each epoch.
    weights = []
    fit(trainer(**options, callbacks=lambda model, *_: weights.append(model.get_weights())))
    return weights

def check(model, weights, best=False):
    # One epoch of all that were trained, or none.
    n = getattr(model, "n_iter_", 0)
    assert {len(values) for values in model.history.values()} <= {n}, (n, model.history)
    assert (n > 0) == hasattr(model, "classes_")
    assert model.learning_rate is None
    if n:
        epoch = int(np.argmin(model.history["val_loss"])) if best else n - 1
        assert n > len(weights) or same(model.get_weights(), weights[epoch]), n
        model.predict(X)
    seen.append(n)

signal.signal(signal.SIGINT, handler)
seen = []
"""

KINDS = {
    "fit": """
weights = epochs_of(lambda model: model.fit(X, Y), epochs=300)
for _ in range(trials):
    model = trainer(epochs=endless)
    interrupted(lambda: model.fit(X, Y))
    check(model, weights)
    model.epochs, model.warm_start = 2, model.n_iter_ > 0
    before = model.n_iter_
    model.fit(X, Y)
    assert before + 2 > 300 or same(model.get_weights(), weights[before + 1])
    model.epochs, model.warm_start = 3, False
    assert same(model.fit(X, Y).get_weights(), weights[2])
""",
    "early stopping": """
options = {"early_stopping": EarlyStopping(patience=endless)}
weights = epochs_of(lambda model: model.fit(X, Y), epochs=300, **options)
for _ in range(trials):
    model = trainer(epochs=endless, **options)
    interrupted(lambda: model.fit(X, Y))
    check(model, weights, best=True)
""",
    "partial_fit": """
model = trainer(validation_fraction="auto")
weights = [model.partial_fit(X, Y).get_weights() for _ in range(300)]
for _ in range(trials):
    model = trainer(validation_fraction="auto")
    interrupted(lambda: model.partial_fit(X, Y))
    check(model, weights)
    before = model.n_iter_
    model.partial_fit(X, Y)
    assert before + 1 > 300 or same(model.get_weights(), weights[before])
""",
    "fit_stream": """
def chunks():
    for start in range(0, 400, 100):
        yield X[start:start + 100], Y[start:start + 100]

stream = lambda model: model.fit_stream(chunks)
weights = epochs_of(stream, epochs=300, validation_fraction="auto")
for _ in range(trials):
    model = trainer(epochs=endless, validation_fraction="auto")
    interrupted(lambda: stream(model))
    check(model, weights)
    model.epochs = 3
    assert same(stream(model).get_weights(), weights[2])
""",
    "refit": """
options = {"early_stopping": EarlyStopping(patience=3), "refit": True, "epochs": 60}
weights = epochs_of(lambda model: model.fit(X, Y), **options)
last = trainer(**options).fit(X, Y).get_weights()
refitted = 0
for _ in range(trials):
    model = trainer(**options)
    interrupted(lambda: model.fit(X, Y))
    if model.n_iter_ and same(model.get_weights(), last):
        refitted += 1
    else:
        check(model, weights, best=True)
    assert same(model.fit(X, Y).get_weights(), last)
seen.append(refitted)
""",
    "fit_many": """
weights = epochs_of(lambda model: model.fit(X, Y), epochs=300)
for _ in range(trials):
    models = [trainer(epochs=endless) for _ in range(3)]
    interrupted(lambda: fit_many(models, X, Y))
    for model in models:
        check(model, weights)
        model.epochs = 3
    assert all(same(model.get_weights(), weights[2]) for model in fit_many(models, X, Y))
""",
    "Ensemble": """
wanted = Ensemble(trainer(epochs=3), 3).fit(X, Y).predict_proba(X)
for _ in range(trials):
    ensemble = Ensemble(trainer(epochs=endless), 3)
    interrupted(lambda: ensemble.fit(X, Y))
    for member in ensemble.members:
        check(member, [])
        member.epochs = 3
    assert np.array_equal(ensemble.fit(X, Y).predict_proba(X), wanted)
""",
    "estimators": """
def estimator(**options):
    return MLPClassifier((40,), random_state=0, tol=0.0, n_iter_no_change=endless, **options)

weights = []
keep = lambda model, *_: weights.append(model.get_weights())
estimator(max_iter=300, callbacks=keep).fit(X, Y)
for _ in range(trials):
    model = estimator(max_iter=endless)
    interrupted(lambda: model.fit(X, Y))
    assert not hasattr(model, "_is_fitting")
    if hasattr(model, "trainer_") and model.trainer_.n_iter_:
        check(model.trainer_, weights)
        # It may have come before the epoch was counted.
        assert model.trainer_.n_iter_ - model.n_iter_ in (0, 1)
        assert len(model.loss_curve_) == model.n_iter_
        model.predict(X)
    assert same(model.set_params(max_iter=3).fit(X, Y).trainer_.get_weights(), weights[2])
""",
    "lbfgs": """
from threadpoolctl import threadpool_info

def estimator():
    return MLPClassifier((40,), random_state=0, solver="lbfgs", tol=0.0, alpha=0.1)

limits = [pool["num_threads"] for pool in threadpool_info()]
wanted = estimator().set_params(max_iter=3).fit(X, Y).coefs_
for _ in range(trials):
    model = estimator().set_params(max_iter=endless, max_fun=endless)
    interrupted(lambda: model.fit(many, labels))
    assert not hasattr(model, "_is_fitting")
    if hasattr(model, "loss_"):
        seen.append(model.n_iter_)
        model.predict(X)
    assert same(model.set_params(max_iter=3).fit(X, Y).coefs_, wanted)
assert [pool["num_threads"] for pool in threadpool_info()] == limits
""",
    "predictions": """
model = trainer(epochs=3).fit(X, Y)
works = [
    lambda: model.predict_proba(many), lambda: list(model.evaluate(many, labels).values()),
    lambda: model.predict(X[:1]), lambda: model.loss_and_gradient(many, labels)[1],
]
wanted = [work() for work in works]
for number in range(trials):
    work, right = works[number % 4], wanted[number % 4]
    def again():
        while True:
            work()
    interrupted(again)
    assert same(work(), right)
    seen.append(1)
""",
}

END = """
assert max(seen) > 0
# All threads are gone and no mark is left: a team comes together.
from fastmlp.kernels.runs import launch, threads
assert not launch._launches.teams and not threads._fits
deadline = time.perf_counter() + 5
while sum(thread.is_alive() for thread in threading.enumerate()) > 1:
    assert time.perf_counter() < deadline, threading.enumerate()
    time.sleep(0.01)
"""


@pytest.mark.costly
@pytest.mark.parametrize("kind", KINDS)
def test_interrupts(kind: str, times: int) -> None:
    trials = 10 * times
    arguments = f"import sys\nsys.argv[1:] = [{kind!r}, {str(trials)!r}]\n"
    code = arguments + SCRIPT + KINDS[kind] + END
    run(code, timeout=60 + 5 * trials, NUMBA_NUM_THREADS="4")
