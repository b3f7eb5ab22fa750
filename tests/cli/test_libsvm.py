"""Files of libsvm's format on the command line."""

import gzip
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.datasets import dump_svmlight_file, load_svmlight_file

import fastmlp
from fastmlp import Trainer
from fastmlp.cli.libsvm import read_libsvm
from tests.cli.conftest import Run
from tests.helpers.basics import needs_compiler

Fails = Callable[..., str]
N_FEATURES = 40


def rows(n: int, seed: int) -> tuple[Any, Any]:
    """Classes -1 and 1 by the sign of a sum."""
    X = sp.random_array(
        (n, N_FEATURES), density=0.2, random_state=np.random.default_rng(seed)
    ).tocsr()
    X.indices, X.indptr = X.indices.astype(np.int32), X.indptr.astype(np.int32)  # for version 1.6
    signs = np.resize([1.0, -1.0], N_FEATURES)
    return X, np.where(X @ signs > 0, 1, -1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Rows with indices from 1 and from 0, compressed ones, and rows without the last features."""
    path = tmp_path_factory.mktemp("libsvm")
    X, y = rows(300, 0)
    dump_svmlight_file(X, y, str(path / "one.svm"), zero_based=False)
    dump_svmlight_file(X, y, str(path / "zero.libsvm"), zero_based=True)
    (path / "one.svmlight.gz").write_bytes(gzip.compress((path / "one.svm").read_bytes()))
    X, y = rows(80, 1)
    dump_svmlight_file(X[:, :30], y, str(path / "few.svm"), zero_based=False)
    # No row has the first feature.
    dump_svmlight_file(X[X[:, [0]].toarray()[:, 0] == 0], [0] * 64, str(path / "z.svm"))
    return path


@pytest.fixture(scope="module")
def model(folder: Path) -> Path:
    path = folder / "one.safetensors"
    fastmlp.cli.main(["train", str(folder / "one.svm"), "--hidden", "8", "--out", str(path)])
    return path


@pytest.mark.parametrize(
    ("name", "first"), [("one.svm", 1), ("zero.libsvm", 0), ("one.svmlight.gz", 1)]
)
def test_files_have_the_same_rows(name: str, first: int, folder: Path) -> None:
    X, y = rows(300, 0)
    found, targets, index = read_libsvm(str(folder / name))
    assert index == first
    np.testing.assert_allclose(found.toarray(), X.toarray(), rtol=1e-15)
    np.testing.assert_array_equal(targets, y)
    assert targets.dtype == np.int64


@needs_compiler
def test_train_does_what_python_does(
    folder: Path, model: Path, command: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    again = folder / "again.safetensors"
    text, error = command("train", folder / "one.svm", "--hidden", 8, "--out", again)
    assert error == ""
    assert "300 rows of 40 features, 8.0 of them a row; indices start at 1\n" in text
    assert "target    first in each line: 2 classes (rows): " in text
    assert text.endswith(f"fastmlp predict {again} new.svm\n")
    trainer, same = fastmlp.load(again), fastmlp.load(model)
    assert (trainer.missing, trainer.n_features_in_, trainer.first_index) == ("error", 40, 1)
    for weights, others in zip(trainer.get_weights(), same.get_weights(), strict=True):
        np.testing.assert_array_equal(weights, others)
    text, _ = command("train", folder / "one.svm", "--held-out", 0, "--seed", 3, "--out", again)
    own = Trainer(seed=3, loss="softmax_cross_entropy").fit(*rows(300, 0))
    for weights, others in zip(fastmlp.load(again).get_weights(), own.get_weights(), strict=True):
        np.testing.assert_allclose(weights, others, atol=1e-6)


@needs_compiler
def test_rows_without_the_last_features(folder: Path, model: Path, command: Run) -> None:
    X, y = rows(80, 1)
    X = sp.hstack([X[:, :30], sp.csr_array((80, 10))]).tocsr()
    trainer = fastmlp.load(model)
    wanted = trainer.predict_proba(X)
    text, error = command("predict", model, folder / "few.svm", "--probabilities")
    assert error == ""
    head, *lines = (line.split(",") for line in text.splitlines())
    assert head == ["prediction", "P(-1)", "P(1)"]
    assert [int(line[0]) for line in lines] == trainer.predict(X).tolist()
    np.testing.assert_array_equal(np.array(lines)[:, 1:].astype(np.float32), wanted)
    command("predict", model, folder / "few.svm", "--out", folder / "p.npy")
    np.testing.assert_array_equal(np.load(folder / "p.npy"), trainer.predict(X))
    text, _ = command("evaluate", model, folder / "few.svm")
    assert "few.svm: 80 rows; target first in each line\n" in text
    assert f"model       {trainer.evaluate(X, y)['accuracy']:.4f}" in text
    text, _ = command("info", model)
    assert "\ncolumns   40 without names, from 1\n" in text


@needs_compiler
def test_the_model_knows_where_indices_start(folder: Path, command: Run, fails: Fails) -> None:
    """Files of one set may differ in whether the first feature occurs."""
    out = folder / "zero.safetensors"
    options = ("--test", folder / "z.svm", "--hidden", 2, "--epochs", 2, "--loss", "squared_error")
    text, _ = command("train", folder / "zero.libsvm", *options, "--out", out)
    assert "held out  64 rows for the score, those of " in text
    trainer = fastmlp.load(out)
    assert trainer.first_index == 0
    text, _ = command("predict", out, folder / "z.svm")
    X, _ = rows(80, 1)
    wanted = trainer.predict(X[X[:, [0]].toarray()[:, 0] == 0])
    np.testing.assert_allclose([float(v) for v in text.split()[1:]], wanted, rtol=1e-5)
    n_features, from_0 = trainer.n_features_in_, trainer.first_index == 0
    read, _ = load_svmlight_file(folder / "z.svm", n_features=n_features, zero_based=from_0)
    np.testing.assert_allclose(trainer.predict(read), wanted, rtol=1e-5)
    one = folder / "starts.safetensors"
    command("train", folder / "one.svm", "--epochs", 1, "--held-out", 0, "--out", one)
    line = fails("evaluate", one, folder / "zero.libsvm")
    assert "zero.libsvm has the index 0; those of the model start at 1" in line


BROKEN = {
    "several targets": ("1 1:1\n1,2 1:3\n", "line 2: must be one target and index:value, with"),
    "query": ("1 qid:1 1:3\n", "without qid; got '1 qid:1 1:3'"),
    "order": ("1 3:1 2:1\n", "line 1: must be one target and index:value, with rising indices"),
    "twice": ("1 1:1 1:1\n", "rising indices"),
    "no value": ("1 1:1\n# a comment\n\n0 7\n", "line 4: must be one target and index:value"),
    "text": ("cat 1:1\n", "got 'cat 1:1'"),
    "large": ("1 99999999999:1\n", "got '1 99999999999:1'"),
    "bytes": ("\xff\x00", "line 1: "),
    "empty": ("", "has no rows"),
    "comments": ("# nothing\n", "has no rows"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_broken_files(case: str, fails: Fails, tmp_path: Path) -> None:
    content, match = BROKEN[case]
    path = tmp_path / "a.svm"
    path.write_text(content, encoding="latin1")
    assert match in fails("train", path, "--out", tmp_path / "m.safetensors")


def test_damaged_archives(folder: Path, fails: Fails, tmp_path: Path) -> None:
    content = (folder / "one.svmlight.gz").read_bytes()
    path = tmp_path / "a.svm.gz"
    for damaged in (content[:-20], b"1 1:1\n", content[:50] + b"zzzzzzzz" + content[58:]):
        path.write_bytes(damaged)
        assert "a.svm.gz cannot be read: " in fails(
            "train", path, "--out", tmp_path / "m.safetensors"
        )


@pytest.mark.parametrize("option", ["--target", "--drop", "--keep", "--weights"])
def test_options_of_columns_are_refused(
    option: str, folder: Path, fails: Fails, tmp_path: Path
) -> None:
    line = fails("train", folder / "one.svm", option, "a", "--out", tmp_path / "m.safetensors")
    assert f"{option} has no effect on {folder / 'one.svm'}: " in line


@needs_compiler
def test_other_files_than_the_models(folder: Path, model: Path, fails: Fails) -> None:
    more = folder / "more.svm"
    more.write_text("1 41:1\n")
    assert "more.svm has 41 features; the model has 40" in fails("predict", model, more)
    for name, option in (("predict", "--id"), ("predict", "--array"), ("evaluate", "--target")):
        line = fails(name, model, folder / "one.svm", option, "x")
        assert f"{option} has no effect on" in line
    more.write_text("7 1:1\n")
    assert "target 'first in each line' does not fit the model" in fails("evaluate", model, more)


def test_a_lack_of_memory_is_one_line(
    folder: Path, fails: Fails, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """As of weights for an index of many digits."""

    def read(path: str) -> None:
        raise MemoryError("Unable to allocate 16.0 GiB")

    monkeypatch.setattr("fastmlp.cli.sources.read_libsvm", read)
    line = fails("train", folder / "one.svm", "--out", tmp_path / "m.safetensors")
    assert line == "fastmlp train: error: Unable to allocate 16.0 GiB\n"


def test_without_scikit_learn(folder: Path) -> None:
    code = f"""
import sys
sys.modules["sklearn"] = None
from fastmlp.cli import main
main(["train", {str(folder / "one.svm")!r}, "--out", "m.safetensors"])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr == (
        "fastmlp train: error: files of libsvm need scikit-learn: pip install 'fastmlp[sklearn]'\n"
    )
