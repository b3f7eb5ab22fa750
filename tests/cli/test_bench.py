"""``fastmlp bench``."""

import json
import re
import time
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from asv_benchmarks.race.jobs import MAIN_JOBS
from fastmlp.cli import main
from fastmlp.cli.standard_jobs import JOBS, Job, measure
from fastmlp.kernels.runs import fma_limit
from tests.helpers.basics import needs_compiler

pytestmark = needs_compiler

TINY = Job((5, 8, 3), 100, 10, "sgd", 0.01)
TIMES = ("what", "seconds", "flops", "gflops", "share")


@pytest.fixture(autouse=True)
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fma_limit, "_STEPS", 10_000)
    monkeypatch.setitem(JOBS, "tiny", TINY)
    monkeypatch.setitem(JOBS, "images", replace(TINY, layer_sizes=(784, 8, 3), sparse=True))


def given_limits(monkeypatch: pytest.MonkeyPatch, *limits: float) -> None:
    """Let these be measured in turn, each in three runs."""
    left = iter(limits)
    monkeypatch.setattr(
        fma_limit, "fma_rates", lambda *_: (np.array([0.8, 1, 0.9]) * next(left)).tolist()
    )


def test_the_jobs_are_those_of_the_race() -> None:
    for ours, theirs in {"sparse": "mnist", "sparse-adam": "mnist-adam"}.items():
        assert MAIN_JOBS[theirs].data == "mnist"
        assert JOBS[ours].sparse
    standard = list(JOBS.values())[: len(MAIN_JOBS)]
    for ours, theirs in zip(standard, MAIN_JOBS.values(), strict=True):
        for name in ("layer_sizes", "n_rows", "batch_size", "optimizer", "learning_rate"):
            assert getattr(ours, name) == getattr(theirs, name)
        assert ours.flops_per_epoch == theirs.flops_per_epoch


def test_table(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    given_limits(monkeypatch, 100, 125, 95)
    main(["bench", "--jobs", "tiny,images", "--seconds", "0.01", "--threads", "1"])
    facts, versions, limit, empty, titles, *lines = capsys.readouterr().out.splitlines()
    assert re.fullmatch(r".+, usable cores: \d+, vectors of (128|256|512) bits", facts)
    assert re.fullmatch(r"fastmlp [\d.]+, Numba .+, llvmlite .+, NumPy .+, Python .+", versions)
    assert limit == "limit: 100.0 GFLOP/s float32, threads: 1 (80.0 to 100.0 in 3 runs)"
    assert (empty, titles.split()) == ("", ["job", "what", "seconds", "GFLOP/s", "share"])
    found = [re.fullmatch(r"(\w+) +(\w.*\w) +([\d.e-]+) +([\d.]+) +(\d+)%", line) for line in lines]
    assert [match and (match[1], match[2]) for match in found] == [
        (job, what)
        for job in ("tiny", "images")
        for what in ("epoch of 100 rows", "predict 10,000 rows", "predict 1 row")
    ]


def test_json(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    given_limits(monkeypatch, 100, 125, 95)
    main(["bench", "--jobs", "tiny,images", "--seconds", "0.01", "--dtype", "float64", "--json"])
    found = json.loads(capsys.readouterr().out)
    assert found["dtype"] == "float64"
    assert list(map(max, found["limits"])) == [100, 125, 95]
    # Two operations for each weight and row; in training 4 for one of the first layer, and 6 for
    # one of the second.
    tiny = [100 * (4 * 40 + 6 * 24), 10_000 * 2 * 64, 2 * 64]
    images = [100 * (4 * 6_272 + 6 * 24), 10_000 * 2 * 6_296, 2 * 6_296]
    for result, flops in zip(found["results"], tiny + images, strict=True):
        assert result["flops"] == flops
        assert 1e-7 < result["seconds"] < 1
        assert result["gflops"] == flops / result["seconds"] / 1e9
        assert result["share"] == result["gflops"] / 125  # the larger one around each job
        assert result.keys() == {"job", *TIMES}


@pytest.mark.parametrize(("last", "is_noise"), [(91, False), (89, True), (110, False), (113, True)])
def test_noise(
    last: float, is_noise: bool, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    given_limits(monkeypatch, 100, last)
    main(["bench", "--jobs", "tiny", "--seconds", "0.001"])
    line = f"The limit was 100.0 GFLOP/s at first and {last:.1f} at last: the machine was busy"
    assert (line in capsys.readouterr().out) == is_noise


def test_the_time_of_training() -> None:
    for seconds in (0.4, 0.001):
        start = time.perf_counter()
        first = next(measure(TINY, seconds, "float32", 1))
        took = time.perf_counter() - start
        assert (took >= 0.4) == (seconds == 0.4)
        assert first.seconds < 0.1


def test_the_zeros_of_a_sparse_job(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in the images of MNIST: 81% of all, 57% if six rows must share them."""
    given: list[Any] = []

    class NoTrainer:
        def __init__(self, **_: Any) -> None: ...

        def fit(self, X: Any, Y: Any) -> Any:
            given.append(X)
            return self

        def predict(self, X: Any) -> None: ...

    monkeypatch.setattr("fastmlp.cli.standard_jobs.Trainer", NoTrainer)
    with pytest.raises(AttributeError):  # of the history
        next(measure(replace(JOBS["sparse"], n_rows=6_000), 0.1, "float64", 1))
    is_zero = given[-1] == 0
    assert is_zero.shape == (6_000, 784)
    assert 0.79 < is_zero.mean() < 0.83
    assert 0.5 < is_zero.reshape(1_000, 6, 784).all(axis=1).mean() < 0.6


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        (["--jobs", "dense,tine"], "jobs must be one of 'dense', 'sparse', "),
        (["--jobs", "5"], "jobs must be one of 'dense', 'sparse', "),
        (["--threads", "0"], "threads must be from 1 to "),
        (["--threads", "4097"], "the limit of Numba; got 4097"),
        (["--threads", "two"], "invalid int value: 'two'"),
        (["--seconds", "0"], "seconds must be a finite number > 0; got 0.0"),
        (["--seconds", "inf"], "seconds must be a finite number > 0; got inf"),
        (["--dtype", "float16"], "invalid choice: 'float16'"),
        (["dense"], "unrecognized arguments: dense"),
    ],
)
def test_errors_are_one_line(
    arguments: list[str], match: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as end:
        main(["bench", *arguments])
    assert end.value.code == 2
    out, error = capsys.readouterr()
    assert out == ""
    assert re.fullmatch(f"fastmlp.*: error: .*{re.escape(match)}.*\n", error)


def test_the_help_has_examples_that_run(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(["bench", "--help"])
    assert end.value.code == 0
    shown = capsys.readouterr().out
    assert all(str(job) in shown for job in MAIN_JOBS.values() if job.data == "gaussian")
    *_, last = re.findall(r"  fastmlp (bench .*)", shown)
    main(last.split())
    assert [result["job"] for result in json.loads(capsys.readouterr().out)["results"]] == [
        "tabular"
    ] * 3
