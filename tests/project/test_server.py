"""The server in examples/: right answers, errors that say what is wrong, models that change."""

import json
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import pytest

import fastmlp
from asv_benchmarks import served, serving
from fastmlp import Ensemble, Trainer
from tests.helpers.basics import needs_compiler
from tests.helpers.processes import ROOT
from tests.helpers.scripts import loaded

pytest.importorskip("uvicorn")
pytest.importorskip("safetensors")
client_of = pytest.importorskip("starlette.testclient").TestClient

pytestmark = needs_compiler

SCRIPT = ROOT / "examples" / "server.py"
# The script imports the very fastmlp that the tests import, installed or not.
PATHS = filter(None, [str(ROOT), os.environ.get("PYTHONPATH", "")])
ENVIRONMENT = {**os.environ, "PYTHONPATH": os.pathsep.join(PATHS)}
BYTES = {"Content-Type": "application/octet-stream"}
X = np.random.default_rng(0).uniform(-1, 1, (300, 3)).astype(np.float32)
LABELS = np.where(X[:, 0] > X[:, 1], "right", "left")
NUMBERS = X[:, 0] + X[:, 1]


def trainer(seed: int = 0) -> Trainer:
    return Trainer(8, epochs=3, seed=seed)


@pytest.fixture(scope="module")
def server() -> ModuleType:
    return loaded(SCRIPT)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """The file of a classifier, beside the data of its refits."""
    trainer().fit(X, LABELS).save(tmp_path / "model.safetensors")
    np.savez(tmp_path / "data.npz", X=X, y=LABELS)
    return tmp_path / "model.safetensors"


@pytest.fixture
def client(server: ModuleType, path: Path) -> Iterator[Any]:
    with client_of(server.Server(path, path.with_name("data.npz")).app) as client:
        yield client


def test_answers_are_those_of_the_trainer(client: Any) -> None:
    model = trainer().fit(X, LABELS)
    version = client.get("/health").json()["model"]
    for n in (1, 7, 300):
        as_json = client.post("/predict", json={"rows": X[:n].astype(float).tolist()})
        as_bytes = client.post("/predict", content=X[:n].tobytes(), headers=BYTES)
        assert as_json.status_code == as_bytes.status_code == 200
        wanted = {"model": version, "predictions": model.predict(X[:n]).tolist()}
        assert as_json.json() == as_bytes.json() == wanted
        answer = client.post("/predict_proba", content=X[:n].tobytes(), headers=BYTES).json()
        assert (answer["model"], answer["classes"]) == (version, ["left", "right"])
        assert answer["probabilities"] == model.predict_proba(X[:n]).tolist()


def test_many_rows(client: Any, server: ModuleType) -> None:
    """They are answered in another thread."""
    rows = np.tile(X, (100, 1))
    assert rows.nbytes > server.SMALL_BODY
    answer = client.post("/predict", content=rows.tobytes(), headers=BYTES).json()
    assert answer["predictions"] == trainer().fit(X, LABELS).predict(rows).tolist()
    rows[-1, 2] = np.nan
    answer = client.post("/predict", content=rows.tobytes(), headers=BYTES)
    assert answer.status_code == 400
    assert "X[29999, 2] is missing" in answer.json()["error"]


def test_numbers(server: ModuleType, path: Path) -> None:
    model = trainer().fit(X, NUMBERS)
    model.save(path)
    with client_of(server.Server(path).app) as client:
        answer = client.post("/predict", json={"rows": X[:5].astype(float).tolist()})
        assert answer.json()["predictions"] == model.predict(X[:5]).tolist()
        answer = client.post("/predict_proba", json={"rows": [[0, 0, 0]]})
        assert answer.status_code == 400
        assert "no probabilities" in answer.json()["error"]
        assert client.post("/refit").status_code == 404


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (b"", "the body cannot be read as JSON: Expecting value"),
        (b"[[1, 2, 3]]", 'an object {"rows"'),
        (b'{"row": [[1, 2, 3]]}', 'an object {"rows"'),
        (b'{"rows": [1, 2, 3]}', "X must be 2-D"),
        (b'{"rows": []}', "X must be 2-D"),
        (b'{"rows": null}', "X must be"),
        (b'{"rows": {"0": [1]}}', "X must be"),
        (b'{"rows": [[1, 2]]}', "X must have 3 features; got 2"),
        (b'{"rows": [[1, 2, 3], [4]]}', "X cannot be read as one array"),
        (b'{"rows": [[1.5, 2, NaN]]}', "X[0, 2] is missing"),
        (b'{"rows": [[1.5, 2, 1e999]]}', "X[0, 2] is inf"),
        (b'{"rows": [[1.5, 2, 1e99]]}', "X[0, 2]"),
        (b'{"rows": [[1.5, null, 3]]}', "X[0, 1]"),
        (b'{"rows": [["a", "b", "c"]]}', "X must hold real numbers"),
        (b'{"rows": ' + b"[" * 100_000, "recursion"),
        (b'{"rows": \xff}', "codec"),
    ],
)
def test_a_bad_body_is_an_error(client: Any, body: bytes, error: str) -> None:
    answer = client.post("/predict", content=body)
    assert answer.status_code == 400
    assert error in answer.json()["error"]


def test_bytes_that_are_no_rows(client: Any) -> None:
    for body, error in (
        (b"12345", "rows of 3 float32 numbers; got 5 bytes"),
        (b"", "X must be 2-D"),
    ):
        answer = client.post("/predict", content=body, headers=BYTES)
        assert answer.status_code == 400
        assert error in answer.json()["error"]


def test_a_large_body_is_refused(
    client: Any, server: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "MAX_BODY", 100)
    assert client.post("/predict", content=bytes(96), headers=BYTES).status_code == 200
    assert client.post("/predict", content=bytes(108), headers=BYTES).status_code == 413


def test_a_refit_replaces_the_model_and_its_file(client: Any, path: Path) -> None:
    """While another thread predicts: each answer is that of the model which it names."""
    np.savez(path.with_name("data.npz"), X=X, y=LABELS[::-1])
    models = {trainer().fit(X, y).predict_proba(X[:9]).tobytes() for y in (LABELS, LABELS[::-1])}
    before, found, ended = client.get("/health").json()["model"], set(), threading.Event()

    def predict() -> None:
        while not ended.is_set():
            answer = client.post("/predict_proba", content=X[:9].tobytes(), headers=BYTES).json()
            probabilities = np.array(answer["probabilities"], np.float32)
            found.add((answer["model"], probabilities.tobytes()))

    thread = threading.Thread(target=predict)
    thread.start()
    version = client.post("/refit").json()["model"]
    while version not in {model for model, _ in found}:
        time.sleep(0.01)
    ended.set()
    thread.join()
    assert {model for model, _ in found} == {before, version}
    assert {probabilities for _, probabilities in found} == models
    assert fastmlp.load(path).predict_proba(X[:9]).tobytes() in models
    assert client.get("/health").json()["model"] == version != before


def test_a_refit_that_fails_leaves_the_model(server: ModuleType, path: Path) -> None:
    np.savez(path.with_name("data.npz"), X=X * np.nan, y=LABELS)
    app = server.Server(path, path.with_name("data.npz")).app
    with client_of(app, raise_server_exceptions=False) as client:
        before, content = client.get("/health").json(), path.read_bytes()
        assert client.post("/refit").status_code == 500
        assert client.get("/health").json() == before
        assert path.read_bytes() == content
        np.savez(path.with_name("data.npz"), X=X, y=LABELS[::-1])
        assert client.post("/refit").status_code == 200
        assert client.get("/health").json() != before


def test_a_file_that_is_replaced_is_taken_over(
    server: ModuleType, path: Path, monkeypatch: pytest.MonkeyPatch, caplog: Any
) -> None:
    """Not one that is damaged, or that cannot be served."""
    monkeypatch.setattr(server, "POLL_SECONDS", 0.01)
    with client_of(server.Server(path).app) as client:

        def version() -> Any:
            return client.get("/health").json()["model"]

        first = version()
        damaged = path.with_name("damaged")
        damaged.write_bytes(path.read_bytes()[:-9])
        damaged.replace(path)
        wait_until(lambda: "the model before it stays" in caplog.text)
        table().save(path)
        wait_until(lambda: "are categories" in caplog.text)
        Ensemble(trainer(), k=1).fit(X, LABELS).save(path)
        wait_until(lambda: "must be a Trainer; got Ensemble" in caplog.text)
        assert version() == first
        trainer(seed=1).fit(X, LABELS).save(path)
        wait_until(lambda: version() != first)
        assert version() == server.ready(trainer(seed=1).fit(X, LABELS)).version


def table() -> Trainer:
    """A trainer whose rows are no array."""
    frame = pd.DataFrame({0: X[:, 0], 1: pd.Categorical(LABELS)})
    return Trainer(8, epochs=1).fit(frame, LABELS)


@pytest.mark.parametrize("name", ["nothing.safetensors", "table.safetensors"])
def test_what_cannot_be_served_is_said_at_the_start(
    name: str, server: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    table().save(tmp_path / "table.safetensors")
    monkeypatch.setattr(sys, "argv", ["server.py", str(tmp_path / name)])
    with pytest.raises(SystemExit, match="2"):
        server.main()
    assert re.search(
        rf"{name} cannot be served: .*(No such file|are categories)", capsys.readouterr().err
    )


def wait_until(condition: Any) -> None:
    end = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


@contextmanager
def ended(process: subprocess.Popen[bytes]) -> Iterator[subprocess.Popen[bytes]]:
    """A server, which must end without an error."""
    try:
        yield process
    finally:
        process.terminate()
        assert process.wait(120) == 0


@contextmanager
def process(path: Path, workers: int) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """The server as it is started from a shell, and its port."""
    port = served.free_port()
    command = [sys.executable, str(SCRIPT), str(path), f"--port={port}", f"--workers={workers}"]
    with ended(subprocess.Popen(command, env=ENVIRONMENT)) as started:
        served.wait_for(port, started)
        yield started, port


@pytest.mark.costly
@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGINT])
def test_a_request_that_has_begun_is_answered(path: Path, ending: int) -> None:
    with process(path, 1) as (started, port):
        connection = HTTPConnection("127.0.0.1", port, timeout=30)
        body = X.tobytes()
        connection.putrequest("POST", "/predict")
        connection.putheader("Content-Type", BYTES["Content-Type"])
        connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body[:100])
        time.sleep(0.3)
        started.send_signal(ending)
        time.sleep(0.3)
        connection.send(body[100:])
        answer = connection.getresponse()
        assert answer.status == 200
        predictions = json.loads(answer.read())["predictions"]
        assert predictions == trainer().fit(X, LABELS).predict(X).tolist()
        connection.close()


@pytest.mark.full
@pytest.mark.skipif(shutil.which("curl") is None, reason="the docs use curl")
def test_the_commands_of_the_docs(tmp_path: Path) -> None:
    """As a reader would type them, but for the port."""
    text = (ROOT / "docs" / "how-to" / "serving.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```(\w+)\n(.*?)^```$", text, re.M | re.S)
    assert [language for language, _ in blocks] == ["python", "sh", "sh", "dockerfile"]
    (_, save), (_, start), (_, requests), _ = blocks
    subprocess.run([sys.executable, "-c", save], cwd=tmp_path, check=True, env=ENVIRONMENT)
    port = served.free_port()
    start = start.replace("examples/server.py", str(SCRIPT)).replace("8000", str(port))
    command = [sys.executable, *start.split()[1:]]
    with ended(subprocess.Popen(command, cwd=tmp_path, env=ENVIRONMENT)) as started:
        served.wait_for(port, started)
        answers = []
        for line in requests.replace("8000", str(port)).splitlines():
            done = subprocess.run(shlex.split(line), capture_output=True, check=True)
            answers.append(json.loads(done.stdout))
    predicted, probable, refitted, _ = answers
    assert predicted["predictions"] == ["same sign", "opposite"]
    assert probable["classes"] == ["opposite", "same sign"]
    assert probable["probabilities"][0][1] > 0.9
    assert refitted["model"] == predicted["model"]  # of the same rows


@pytest.mark.full
def test_a_worker_that_dies_is_replaced(path: Path) -> None:
    with process(path, 2) as (started, port):
        first, second = served.workers_of(started.pid)
        os.kill(first, signal.SIGKILL)
        wait_until(lambda: len(set(served.workers_of(started.pid)) - {first, second}) == 1)
        assert served.ask(port, "GET", "/health")["status"] == "ok"
        assert second in served.workers_of(started.pid)


@pytest.mark.full
def test_workers_end_with_their_parent(path: Path) -> None:
    """Also if it is killed, so that the port is free for another one."""
    port = served.free_port()
    command = [sys.executable, str(SCRIPT), str(path), f"--port={port}", "--workers=2"]
    with subprocess.Popen(command, env=ENVIRONMENT) as started:
        served.wait_for(port, started)
        started.kill()

    def is_refused() -> bool:
        with socket.socket() as one:
            return one.connect_ex(("127.0.0.1", port)) != 0

    assert not is_refused()
    wait_until(is_refused)


@pytest.mark.full
def test_under_load() -> None:
    """The benchmark ends with an error where an answer is not right."""
    for name in ("onnxruntime", "sklearn", "onnx"):
        pytest.importorskip(name)
    case = "20-64-3 JSON"
    turns = serving.results([case], [*serving.SYSTEMS], seconds=1.5, rounds=1)
    for [turn] in turns.values():
        assert len(turn.seconds) >= serving.CLIENTS
    [quiet], [refitted] = (turns[case, system] for system in ("fastmlp", "refitting"))
    assert len(quiet.versions) == 1 < len(refitted.versions) <= served.VERSIONS
    assert (quiet.refits, refitted.refits > 1) == (0, True)
