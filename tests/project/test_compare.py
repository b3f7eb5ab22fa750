"""The script that compares two commits: what is checked out, what is timed, and their ratio."""

import io
import json
import os
import sys
from contextlib import nullcontext
from pathlib import Path
from unittest import mock

import pytest

import fastmlp
from asv_benchmarks import compare
from tests.helpers.processes import ROOT

PACKAGE = Path(fastmlp.__file__).parent


of_a_commit = pytest.param(
    "HEAD", marks=pytest.mark.skipif(not (ROOT / ".git").exists(), reason="not a clone")
)


@pytest.mark.parametrize("commit", [of_a_commit, compare.WORKING_TREE])
def test_a_commit_is_checked_out_beside_the_present_jobs(commit, tmp_path):
    folder = tmp_path / "commit"
    compare.check_out(commit, folder)
    assert (folder / "fastmlp" / "__init__.py").is_file()
    assert not (folder / "fastmlp").is_symlink()
    assert (folder / "asv_benchmarks").samefile(PACKAGE.parent / "asv_benchmarks")


@pytest.mark.parametrize("job", ["tiny-batch-1", compare.ONE_ROW])
def test_a_worker_answers_with_the_epochs_after_the_first(job, monkeypatch, tmp_path, capsys):
    (tmp_path / "fastmlp").symlink_to(PACKAGE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(fastmlp, "__file__", str(tmp_path / "fastmlp" / "__init__.py"))
    monkeypatch.setattr(compare, "ONE_ROW_CALLS", 10)
    monkeypatch.setattr(sys, "stdin", io.StringIO(f'["{job}", 1, 3]\n["{job}", 2, 1]\n'))
    with mock.patch.dict(os.environ):
        compare.serve()
        assert Path(os.environ["NUMBA_CACHE_DIR"]).parent == tmp_path
    answers = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [len(seconds) for seconds in answers] == [3, 1]
    assert min(map(min, answers)) > 0


def test_the_ratio_is_that_of_the_second_over_the_first(monkeypatch):
    """New processes after three pairs; their first turns do not count; the order alternates."""
    turns, took = [], {"a": iter([9, 1, 1, 1, 9, 1]), "b": iter([9, 3, 2, 2, 9, 2])}

    def turn(worker, *_):
        turns.append(worker)
        return [float(next(took[worker]))]

    monkeypatch.setattr(compare, "turn", turn)
    monkeypatch.setattr(compare, "workers", nullcontext)
    monkeypatch.setattr(compare, "fma_limit", lambda *_: 100.0)
    line = compare.compare(["a", "b"], "dense", 2, pairs=4)
    assert "".join(turns) == "ab" + "ab" + "ba" + "ab" + "ab" + "ba"
    assert line.split()[:6] == ["dense", "2", "2.00", "2.00", "to", "3.00"]
    assert line.split()[6:] == ["1000.00", "ms", "20%", "2000.00", "ms", "10%"]
