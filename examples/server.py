"""Serve a model over HTTP: ``python examples/server.py model.safetensors --workers 2``.

``POST /predict`` and ``POST /predict_proba`` take rows, as JSON ``{"rows": [[0.5, 1.0], ...]}`` or
as float32 numbers of type ``application/octet-stream``; answers name the version of the model.
``GET /health`` answers the version alone. With ``--data``, an npz file with the arrays X and y,
``POST /refit`` trains on them while the model goes on answering, replaces it and its file.

Workers are forks of one process that has read the model and its kernels, which they share. They
take over a model file that is replaced. SIGTERM ends them after the requests that have begun.
"""

import argparse
import copy
import gc
import hashlib
import json
import logging
import multiprocessing
import os
import signal
import socket
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

import fastmlp
from fastmlp import Trainer

MAX_BODY = 16 << 20  # bytes
# Smaller requests are answered in the event loop: another thread costs more than their prediction.
SMALL_BODY = 64 << 10
POLL_SECONDS = 1.0  # after which a model file that was replaced is seen
# Errors of a model file that is damaged, missing, or of a model that cannot be served.
UNUSABLE = OSError, ValueError, TypeError
BYTES = "application/octet-stream"


class Model(NamedTuple):
    """A trainer that is fitted no more, and the digest of its weights."""

    trainer: Trainer
    version: str


def ready(trainer: Trainer) -> Model:
    """Load or compile the kernels of predictions, so that no request waits for it."""
    if not isinstance(trainer, Trainer):
        raise ValueError(f"the model must be a Trainer; got {type(trainer).__name__}")
    trainer.threads = 1  # the workers keep the other processors busy
    for dtype in ("float32", "float64"):  # bytes and JSON
        for n_rows in (1, 2):
            trainer.predict(np.zeros((n_rows, trainer.n_features_in_), dtype))
    digest = hashlib.sha256(b"".join(weights.tobytes() for weights in trainer.get_weights()))
    return Model(trainer, digest.hexdigest()[:16])


def read_rows(body: bytes, kind: str, n_features: int) -> Any:
    """The rows in the body of a request."""
    if kind != BYTES:
        try:
            content = json.loads(body)
        except ValueError as error:
            raise ValueError(f"the body cannot be read as JSON: {error}") from error
        if not isinstance(content, dict) or "rows" not in content:
            raise ValueError('the body must be an object {"rows": [[...], ...]}')
        return content["rows"]
    if len(body) % (4 * n_features):
        wanted = f"rows of {n_features} float32 numbers"
        raise ValueError(f"the body must hold {wanted}; got {len(body)} bytes")
    return np.frombuffer(body, "<f4").reshape(-1, n_features)


def answer(model: Model, method: str, body: bytes, kind: str) -> dict[str, Any]:
    """What a method of the trainer predicts for the rows in the body of a request."""
    trainer = model.trainer
    if not hasattr(trainer, method):
        raise ValueError("this model predicts numbers, which have no probabilities")
    X = read_rows(body, kind, trainer.n_features_in_)
    found = getattr(trainer, method)(X).tolist()
    if method == "predict":
        return {"model": model.version, "predictions": found}
    return {"model": model.version, "classes": trainer.classes_.tolist(), "probabilities": found}


async def body_of(request: Request) -> bytes:
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > MAX_BODY:
            raise HTTPException(413, f"a request must have at most {MAX_BODY} bytes")
    return bytes(body)


class Server:
    """The application, and the model that it serves.

    Each request uses the model that it finds; ``self.model = ...`` replaces it for later ones.
    """

    def __init__(self, path: Path, data: Path | None = None) -> None:
        self.path, self.data = path, data
        self.ending, self.refitting = threading.Event(), threading.Lock()
        self.read()
        routes = [
            Route("/health", self.health),
            Route("/predict", self.predict, methods=["POST"]),
            Route("/predict_proba", self.predict_proba, methods=["POST"]),
            *([Route("/refit", self.refit, methods=["POST"])] if data else []),
        ]
        self.app = Starlette(routes=routes, lifespan=self.lifespan)

    def stamp(self) -> tuple[int, int]:
        """What changes when the file is replaced."""
        found = self.path.stat()
        return found.st_ino, found.st_mtime_ns

    def read(self) -> None:
        self.seen = self.stamp()  # a file that is replaced meanwhile is read again
        self.model = ready(fastmlp.load(self.path))

    async def health(self, request: Request) -> JSONResponse:
        return JSONResponse({"status": "ok", "model": self.model.version})

    async def predict(self, request: Request) -> JSONResponse:
        return await self.answer(request, "predict")

    async def predict_proba(self, request: Request) -> JSONResponse:
        return await self.answer(request, "predict_proba")

    async def answer(self, request: Request, method: str) -> JSONResponse:
        body = await body_of(request)
        arguments = self.model, method, body, request.headers.get("content-type", "")
        try:
            if len(body) <= SMALL_BODY:
                return JSONResponse(answer(*arguments))
            return JSONResponse(await run_in_threadpool(answer, *arguments))
        except (ValueError, TypeError, FloatingPointError, RecursionError) as error:
            return JSONResponse({"error": str(error)}, 400)

    async def refit(self, request: Request) -> JSONResponse:
        model = await run_in_threadpool(self.fit)
        return JSONResponse({"model": model.version})

    def fit(self) -> Model:
        """Fit a copy, so that requests never see a model of unfinished training."""
        assert self.data is not None
        with self.refitting, np.load(self.data) as data:
            trainer = copy.deepcopy(self.model.trainer)
            model = ready(trainer.fit(data["X"], data["y"]))
            trainer.save(self.path)
            self.model = model
            return model

    def follow(self) -> None:
        """Take over models that other processes save; end with the parent, even if it is killed."""
        parent = multiprocessing.parent_process()
        while not self.ending.wait(POLL_SECONDS):
            if parent is not None and os.getppid() != parent.pid:
                os.kill(os.getpid(), signal.SIGTERM)
            try:
                if self.stamp() != self.seen:
                    self.read()
            except UNUSABLE:
                logging.exception("%s cannot be read; the model before it stays", self.path)

    @asynccontextmanager
    async def lifespan(self, app: Starlette) -> AsyncIterator[None]:
        threading.Thread(target=self.follow, daemon=True).start()
        yield
        self.ending.set()


def supervise(work: Callable[[], None], count: int) -> None:
    """Fork workers, and new ones for any that die, until SIGTERM or SIGINT ends them all."""
    signals = signal.SIGTERM, signal.SIGINT, signal.SIGCHLD

    def begin() -> None:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, signals)
        work()

    def start() -> Any:
        worker = multiprocessing.get_context("fork").Process(target=begin)
        worker.start()
        return worker

    signal.pthread_sigmask(signal.SIG_BLOCK, signals)  # they wait for sigwait, none is lost
    workers = [start() for _ in range(count)]
    while signal.sigwait(signals) == signal.SIGCHLD:
        time.sleep(0.1)  # workers that cannot start must not keep a processor busy
        workers = [worker if worker.is_alive() else start() for worker in workers]
    for worker in workers:
        worker.terminate()
    for worker in workers:
        worker.join()


def serve(app: Starlette, host: str, port: int, workers: int) -> None:
    config = uvicorn.Config(app, log_level="warning", access_log=False)
    listener = socket.create_server((host, port))
    # Head and body of an answer are two packets; without this the second one waits for 40 ms.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    gc.collect()
    gc.freeze()  # memory that the collector does not write to stays shared
    supervise(lambda: uvicorn.Server(config).run([listener]), workers)


def main() -> None:
    parser = argparse.ArgumentParser(description="Serve a model over HTTP.")
    parser.add_argument("model", type=Path, help="file written by trainer.save")
    parser.add_argument("--data", type=Path, help="npz file with X and y for POST /refit")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--workers", type=int, default=1, help="processes (default: 1)")
    args = parser.parse_args()
    try:
        server = Server(args.model, args.data)
    except UNUSABLE as error:
        parser.error(f"{args.model} cannot be served: {error}")
    print(f"serving {args.model} on http://{args.host}:{args.port}", flush=True)
    serve(server.app, args.host, args.port, args.workers)


if __name__ == "__main__":
    main()
