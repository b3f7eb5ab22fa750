"""Training by scipy's L-BFGS on the loss and the gradient of all rows."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
from scipy import optimize
from sklearn.exceptions import ConvergenceWarning

from ..fit_warning import warn
from ..fitting.dataset import FitData
from ..fitting.objective import Objective
from ..frozen import changed
from ..network.model import Model
from .scikit_learn import threadpool_controller

_lock = threading.Lock()
_limits: list[Any] = []  # what ends the limit, and an element for each user of it


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Limit BLAS to one thread, until the last of overlapping contexts ends."""
    with _lock:
        limit = _limits[0] if _limits else threadpool_controller().limit(limits=1, user_api="blas")
        _limits.append(limit)
    try:
        yield
    finally:
        with _lock:
            _limits.pop()
            if not _limits:
                limit.restore_original_limits()


class Minimum(NamedTuple):
    """What L-BFGS has found."""

    model: Model
    loss: float
    n_iter: int


def minimize(
    model: Model, data: FitData, publish: Callable[[Minimum], None], *, max_fun: int, tol: float,
    verbose: bool,
) -> None:  # fmt: skip
    """Minimize the loss of all rows from the weights of ``model`` on; warn if it has not converged.

    Limits are the settings ``epochs`` and ``time_budget``, besides ``max_fun`` evaluations. The
    result of each iteration is published.
    """
    network, settings = model.network, data.settings
    objective, dtype = Objective(network, data), network.dtype
    deadline = time.perf_counter() + (settings.time_budget or np.inf)
    n_iter = 0

    def publish_at(found: optimize.OptimizeResult) -> None:
        trained = network.trained(found.x.astype(dtype), network.state, 0)
        publish(Minimum(changed(model, network=trained), float(found.fun), n_iter))

    def loss_and_gradient(x: Any) -> tuple[float, Any]:
        loss, gradient = objective(x.astype(dtype))
        return loss, gradient.astype(np.float64)

    # scipy tells by the name of the parameter what to call it with.
    def end_iteration(intermediate_result: optimize.OptimizeResult) -> None:
        nonlocal n_iter
        n_iter += 1
        publish_at(intermediate_result)
        if verbose:
            print(f"Iteration {n_iter}, loss = {intermediate_result.fun:.8f}")
        if time.perf_counter() >= deadline:
            raise StopIteration

    # BLAS would keep threads spinning on the cores that the objective needs: 10 evaluations of
    # 2000-100-1 took 634 ms in place of 162, scikit-learn's 422 in place of 169.
    with one_blas_thread():
        result = optimize.minimize(
            loss_and_gradient,
            network.packed.astype(np.float64),
            method="L-BFGS-B",
            jac=True,
            callback=end_iteration,
            options={"maxfun": max_fun, "maxiter": settings.epochs, "gtol": tol},
        )
    objective.end()
    publish_at(result)
    if result.status != 0 and time.perf_counter() < deadline:
        advice = "Increase max_iter" if result.nit >= settings.epochs else "Scale the data"
        message = f"lbfgs failed to converge after {result.nit} iteration(s): {result.message}"
        warn(f"{message}. {advice}, or give a larger tol.", ConvergenceWarning)
