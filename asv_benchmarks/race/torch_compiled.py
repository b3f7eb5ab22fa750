"""PyTorch, compiled: gather, loss, gradients and update of a batch as one torch.compile graph."""

from typing import Any

from .jobs import Array
from .run import BETA1, BETA2, EPSILON, Run
from .torch_eager import make_model, weights_of

IMPORTS = ("torch",)


def make_step(run: Run, torch: Any, model: Any) -> Any:
    rate, functional = run.job.learning_rate, torch.func.functional_call
    X, Y = torch.from_numpy(run.X), torch.from_numpy(run.Y)

    def loss(parameters: Any, rows: Any) -> Any:
        logits = functional(model, parameters, (X.index_select(0, rows),))
        return torch.nn.functional.cross_entropy(logits, Y.index_select(0, rows))

    def sgd(parameters: Any, state: Any, rows: Any, size: Any) -> None:
        for name, gradient in torch.func.grad(loss)(parameters, rows).items():
            parameters[name].sub_(rate * gradient)

    def adam(parameters: Any, state: Any, rows: Any, size: Any) -> None:
        for name, gradient in torch.func.grad(loss)(parameters, rows).items():
            first, second = state[name]
            first.mul_(BETA1).add_(gradient, alpha=1 - BETA1)
            second.mul_(BETA2).addcmul_(gradient, gradient, value=1 - BETA2)
            parameters[name].sub_(size * first / (second.sqrt() + EPSILON))

    # Not dynamic: a graph for whole batches and one for the ragged one.
    return torch.compile({"sgd": sgd, "adam": adam}[run.job.optimizer], dynamic=False)


def train(run: Run, torch: Any) -> list[Array]:
    torch.set_num_threads(run.threads)
    job, model = run.job, make_model(run, torch)
    step = make_step(run, torch, model)
    parameters = {name: value.detach() for name, value in model.named_parameters()}
    state = {
        name: (torch.zeros_like(value), torch.zeros_like(value))
        for name, value in parameters.items()
    }
    updates = 0
    run.start()
    for _ in range(run.epochs):
        for rows in torch.from_numpy(run.order()).split(job.batch_size):
            updates += 1
            size = (1 - BETA2**updates) ** 0.5 / (1 - BETA1**updates) * job.learning_rate
            step(parameters, state, rows, torch.tensor(size))
        run.lap()
    return weights_of(model)
