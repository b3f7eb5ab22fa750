"""Training by scipy's L-BFGS on the loss and the gradient of all rows."""

import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple, TypeVar

import numpy as np
from scipy import optimize
from sklearn.exceptions import ConvergenceWarning

from ..fit_warning import warn
from ..fitting.dataset import FitData
from ..fitting.objective import Objective
from ..frozen import changed
from ..network.model import Model
from .scikit_learn import threadpool_controller

T = TypeVar("T")

_lock = threading.Lock()
_users: set[object] = set()
_counts: list[tuple[Any, int]] = []  # the libraries, and their threads before the first user


def on_one_blas_thread(work: Callable[[], T]) -> T:
    """What ``work`` returns, with BLAS on one thread until the last of overlapping calls ends."""
    user = object()
    try:
        with _lock:
            if not _counts:
                pools = threadpool_controller().select(user_api="blas").lib_controllers
                _counts.extend((pool, pool.num_threads) for pool in pools)
            _users.add(user)
            for pool, _ in _counts:
                pool.set_num_threads(1)
        return work()
    finally:
        interrupt: BaseException | None = None
        while True:
            try:
                with _lock:
                    _users.discard(user)
                    if not _users:
                        for pool, count in _counts:
                            pool.set_num_threads(count)
                        _counts.clear()
                break
            except KeyboardInterrupt as error:  # a further one does not hasten the end
                interrupt = error
        if interrupt is not None:
            raise interrupt


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
    minimizing = partial(
        optimize.minimize,
        loss_and_gradient,
        network.packed.astype(np.float64),
        method="L-BFGS-B",
        jac=True,
        callback=end_iteration,
        options={"maxfun": max_fun, "maxiter": settings.epochs, "gtol": tol},
    )
    result = on_one_blas_thread(minimizing)
    objective.end()
    publish_at(result)
    if result.status != 0 and time.perf_counter() < deadline:
        advice = "Increase max_iter" if result.nit >= settings.epochs else "Scale the data"
        message = f"lbfgs failed to converge after {result.nit} iteration(s): {result.message}"
        warn(f"{message}. {advice}, or give a larger tol.", ConvergenceWarning)
