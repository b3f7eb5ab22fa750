"""PyTorch, eager: batches by index_select, without a DataLoader; fused optimizer."""

from itertools import pairwise
from typing import Any

import numpy as np

from .jobs import Array
from .run import BETA1, BETA2, EPSILON, Run

IMPORTS = ("torch",)


def make_model(run: Run, torch: Any) -> Any:
    layers: list[Any] = []
    weights = run.initial_weights()
    for k, (n_in, n_out) in enumerate(pairwise(run.job.layer_sizes)):
        linear = torch.nn.Linear(n_in, n_out)
        with torch.no_grad():
            linear.weight.copy_(torch.from_numpy(weights[2 * k].T))
            linear.bias.copy_(torch.from_numpy(weights[2 * k + 1]))
        layers += [linear, torch.nn.ReLU()]
    return torch.nn.Sequential(*layers[:-1])


def weights_of(model: Any) -> list[Array]:
    arrays = [parameter.detach().numpy() for parameter in model.parameters()]
    return [np.ascontiguousarray(a.T) if a.ndim == 2 else a for a in arrays]


def train(run: Run, torch: Any) -> list[Array]:
    torch.set_num_threads(run.threads)
    job, model = run.job, make_model(run, torch)
    if job.optimizer == "sgd":
        optimizer = torch.optim.SGD(model.parameters(), lr=job.learning_rate, fused=True)
    else:
        optimizer = torch.optim.Adam(
            model.parameters(), lr=job.learning_rate, betas=(BETA1, BETA2), eps=EPSILON, fused=True
        )
    loss_of = torch.nn.functional.cross_entropy
    X, Y = torch.from_numpy(run.X), torch.from_numpy(run.Y)
    run.start()
    for _ in range(run.epochs):
        for rows in torch.from_numpy(run.order()).split(job.batch_size):
            optimizer.zero_grad()
            loss_of(model(X.index_select(0, rows)), Y.index_select(0, rows)).backward()
            optimizer.step()
        run.lap()
    return weights_of(model)
