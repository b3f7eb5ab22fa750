"""The servers of ``serving.py``: examples/server.py with a network of each of three systems."""

import json
import os
import pickle
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.client import HTTPConnection
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from asv_benchmarks import as_they_come, options
from fastmlp import Trainer

VERSIONS, N_QUERIES = 4, 64
FILES = {
    "fastmlp": "model.safetensors",
    "onnxruntime": "model.onnx",
    "scikit-learn": "model.pickle",
}
# Layer sizes, and rows of a fit.
NETWORKS = {"784-128-10": ((784, 128, 10), 2_000), "20-64-3": ((20, 64, 3), 10_000)}


class Load(NamedTuple):
    """What clients send, and the right answers, a list for each version of the model."""

    kind: str
    bodies: list[bytes]
    answers: dict[str, list[list[float]]]


class Served:
    """A network of several versions, trained on different rows, and the files of its servers."""

    def __init__(self, name: str, folder: Path) -> None:
        self.folder = folder / name
        self.folder.mkdir()
        self._sizes, self._n_rows = NETWORKS[name]
        settings: dict[str, Any] = {"threads": 1, "epochs": 5, "seed": 0, **as_they_come(Trainer)}
        self._trainers = [
            Trainer(self._sizes[1], **settings).fit(*self._rows(version))
            for version in range(VERSIONS)
        ]
        self._trainers[0].save(self.folder / FILES["fastmlp"])
        self._trainers[0].to_onnx(self.folder / FILES["onnxruntime"])
        (self.folder / FILES["scikit-learn"]).write_bytes(pickle.dumps(self._of_scikit_learn()))
        self.put_rows(0)

    def _rows(self, version: int) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
        X = np.random.default_rng(version).standard_normal(
            (self._n_rows, self._sizes[0]), np.float32
        )
        return X, X[:, : self._sizes[-1]].argmax(axis=1)

    def _of_scikit_learn(self) -> Any:
        from sklearn.neural_network import MLPClassifier

        X, y = self._rows(0)
        model = MLPClassifier(self._sizes[1]).partial_fit(X, y, classes=np.unique(y))
        weights = self._trainers[0].get_weights()
        model.coefs_, model.intercepts_ = weights[::2], weights[1::2]
        return model

    def put_rows(self, version: int) -> None:
        """Write the rows of a version, which the next refit reads."""
        X, y = self._rows(version)
        np.savez(self.folder / "next.npz", X=X, y=y)
        os.replace(self.folder / "next.npz", self.folder / "data.npz")

    def load(self, kind: str) -> Load:
        """Requests of one row each, as JSON or bytes."""
        rows = self._rows(VERSIONS)[0][:N_QUERIES, None]
        if kind == "application/json":
            bodies = [json.dumps({"rows": X.tolist()}).encode() for X in rows]
        else:
            bodies = [X.tobytes() for X in rows]
        answers = {
            example().ready(trainer).version: [trainer.predict_proba(X)[0].tolist() for X in rows]
            for trainer in self._trainers
        }
        first = next(iter(answers.values()))
        return Load(kind, bodies, {**answers, **dict.fromkeys(PEERS, first)})


class Onnx:
    """onnxruntime in place of a trainer."""

    def __init__(self, path: Path) -> None:
        import onnxruntime

        settings = onnxruntime.SessionOptions()
        settings.intra_op_num_threads = settings.inter_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(path.read_bytes(), settings)
        [self._input] = self._session.get_inputs()
        self.n_features_in_ = self._input.shape[1]
        self.classes_ = np.arange(self._session.get_outputs()[1].shape[1])

    def predict_proba(self, X: Any) -> Any:
        rows = np.asarray(X, np.float64)  # the type that exported networks take
        return self._session.run(["probabilities"], {self._input.name: rows})[0]


def scikit_learn(path: Path) -> Any:
    return pickle.loads(path.read_bytes())


PEERS: dict[str, Any] = {"onnxruntime": Onnx, "scikit-learn": scikit_learn}


def example() -> Any:
    """The module examples/server.py."""
    sys.path.insert(0, str(options.ROOT / "examples"))
    return import_module("server")


def serve(system: str, folder: str, port: int, workers: int) -> None:
    """Run the example with a network of the system, until SIGTERM."""
    module, path = example(), Path(folder, FILES[system])

    class Peer(module.Server):  # type: ignore[misc, name-defined]
        def read(self) -> None:
            self.seen = self.stamp()
            self.model = module.Model(PEERS[system](self.path), system)

    server = Peer(path) if system in PEERS else module.Server(path, path.with_name("data.npz"))
    module.serve(server.app, "127.0.0.1", port, workers)


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    """Wait until a server answers, or has ended."""
    while process.poll() is None:
        with suppress(ConnectionError):
            ask(port, "GET", "/health")
            break
        time.sleep(0.01)


@contextmanager
def running(system: str, folder: Path, workers: int = 1) -> Iterator[tuple[int, int]]:
    """A server; its port and its process, whose children are the workers."""
    port = free_port()
    arguments = system, str(folder), port, workers
    code = f"from asv_benchmarks.served import serve; serve(*{arguments})"
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    process = subprocess.Popen([sys.executable, "-c", code], cwd=options.ROOT, env=environment)
    try:
        wait_for(port, process)
        yield port, process.pid
    finally:
        process.terminate()
        if process.wait(120) != 0:
            raise RuntimeError(f"the server of {system} ended with {process.returncode}")


def ask(port: int, method: str, path: str) -> Any:
    """What the server answers to a request without a body."""
    connection = HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request(method, path)
    response = connection.getresponse()
    body = response.read()
    connection.close()
    if response.status != 200:
        raise RuntimeError(f"{path}: {response.status}, {body!r}")
    return json.loads(body)


def workers_of(process: int) -> list[int]:
    """The processes of the workers of a server."""
    children = Path(f"/proc/{process}/task/{process}/children").read_text(encoding="ascii")
    return [int(child) for child in children.split()]


def processor_seconds(process: int) -> float:
    """User and system time of a process."""
    stat = Path(f"/proc/{process}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(stat[11]) + int(stat[12])) / os.sysconf("SC_CLK_TCK")
