"""``fastmlp predict``, ``evaluate`` and ``info``."""

import csv
import io
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.csv
import pyarrow.parquet
import pytest

import fastmlp
from fastmlp import Ensemble, MLPClassifier, Trainer
from fastmlp.streams.columns import select
from tests.cli.conftest import N_ROWS, Run
from tests.helpers.basics import needs_compiler

pytestmark = needs_compiler

Fails = Callable[..., str]


def predictions(model: Path, data: Path) -> Any:
    """Those of Python, of the columns that the model names."""
    trainer = fastmlp.load(model)
    table = select(pyarrow.csv.read_csv(data), trainer.feature_names_in_.tolist())
    return trainer.predict(table), trainer, table


@pytest.fixture(scope="module")
def unlabelled(houses: Path) -> Path:
    """Houses without the columns that no model needs, in another order."""
    path = houses.with_name("new.csv")
    table = pyarrow.csv.read_csv(houses)
    pyarrow.csv.write_csv(table.select(["size", "city", "row", "sold"]), path)
    return path


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_csv_on_stdout(kinds: Path, unlabelled: Path, command: Run) -> None:
    wanted, trainer, table = predictions(kinds, unlabelled)
    text, error = command("predict", kinds, unlabelled, "--id", "row", "--probabilities")
    assert error == ""
    found = rows(text)
    assert list(found[0]) == ["row", "kind", "P(cheap)", "P(dear)"]
    assert [row["kind"] for row in found] == wanted.tolist()
    assert [int(row["row"]) for row in found] == list(range(N_ROWS))
    shares = [[float(row["P(cheap)"]), float(row["P(dear)"])] for row in found]
    np.testing.assert_array_equal(np.array(shares, np.float32), trainer.predict_proba(table))


@pytest.mark.parametrize("ending", ["csv", "parquet", "npy"])
def test_files(ending: str, prices: Path, unlabelled: Path, command: Run, tmp_path: Path) -> None:
    wanted, *_ = predictions(prices, unlabelled)
    out = tmp_path / f"p.{ending}"
    out.write_text("old")
    assert command("predict", prices, unlabelled, "--out", out) == ("", "")
    if ending == "npy":
        found = np.load(out)
    elif ending == "csv":
        found = np.array([float(row["price"]) for row in rows(out.read_text())])
    else:
        found = pyarrow.parquet.read_table(out)["price"].to_numpy()
    np.testing.assert_array_equal(found, wanted)
    assert os.listdir(tmp_path) == [out.name]


def test_a_failure_leaves_the_old_file(
    prices: Path, houses: Path, fails: Fails, tmp_path: Path
) -> None:
    out, data = tmp_path / "p.csv", tmp_path / "new.csv"
    out.write_text("old")
    text = houses.read_text(encoding="utf-8").replace("\n200,house 200,", "\n200,house 200,no ")
    data.write_text(text, encoding="utf-8")
    assert "column 'sold' must hold dates; got 'no 20" in fails(
        "predict", prices, data, "--out", out
    )
    assert out.read_text() == "old"
    assert sorted(os.listdir(tmp_path)) == ["new.csv", "p.csv"]


def test_text_of_digits_stays_text(command: Run, tmp_path: Path) -> None:
    """A file to predict whose codes are all digits has text where the model has it."""
    data, new, out = tmp_path / "t.csv", tmp_path / "new.csv", tmp_path / "m.safetensors"
    lines = [f"{('01', 'x', '7')[k % 3]},{k % 3}.5" for k in range(60)]
    data.write_text("\n".join(["code,y", *lines]))
    new.write_text("code\n01\n7\n")
    options = ("--target", "y", "--hidden", 8, "--epochs", 400, "--held-out", 0, "--out", out)
    command("train", data, *options)
    found = [float(row["y"]) for row in rows(command("predict", out, new)[0])]
    np.testing.assert_allclose(found, [0.5, 2.5], atol=0.2)


def test_evaluate(kinds: Path, prices: Path, houses: Path, command: Run) -> None:
    """As Python does, beside the majority or the mean of these rows."""
    predicted, trainer, table = predictions(kinds, houses)
    y = np.array(pyarrow.csv.read_csv(houses)["kind"].to_pylist())
    text, error = command("evaluate", kinds, houses, "--metric", "f1,roc_auc")
    assert error == ""
    trainer.metrics = ("f1", "roc_auc", "accuracy", "log_loss")
    wanted = trainer.evaluate(table, y)
    del wanted["loss"]
    names, model, majority = (line.split() for line in text.splitlines()[1:4])
    assert names == list(wanted)
    np.testing.assert_allclose([float(v) for v in model[1:]], [*wanted.values()], atol=6e-5)
    most = max((y == "dear").mean(), (y == "cheap").mean())
    assert majority[3] == f"{most:.4f}"
    dear = re.search(r"^dear +(\d+) +(\S+) +(\S+) +(\d+)$", text, re.M)
    assert dear is not None
    right = ((y == "dear") & (predicted == "dear")).sum()
    counts = (y == "dear").sum(), (predicted == "dear").sum()
    shares = [f"{right / count:.4f}" for count in counts]
    assert list(dear.groups()) == [str(counts[0]), *shares, str(counts[1])]
    assert "\nmean " in command("evaluate", prices, houses)[0]


def test_a_model_without_names_takes_columns_in_their_order(command: Run, tmp_path: Path) -> None:
    """With one warning, though the rows come in several pieces."""
    X = np.random.default_rng(0).normal(size=(20_000, 2))
    trainer = Trainer(hidden=3, epochs=1, seed=0).fit(X[:200], X[:200, 0])
    trainer.save(path := tmp_path / "m.safetensors")
    lines = ["a,b", *(f"{a!r},{b!r}" for a, b in X.tolist())]
    (data := tmp_path / "d.csv").write_text("\n".join(lines))
    text, error = command("predict", path, data)
    np.testing.assert_array_equal([float(v) for v in text.split()[1:]], trainer.predict(X))
    assert error.count("\n") == 1
    assert "columns are taken by their order" in error


@pytest.mark.parametrize("kind", ["ensemble", "classifier"])
def test_models_of_python(kind: str, command: Run, fails: Fails, tmp_path: Path) -> None:
    """They have no names of columns, which are taken in their order, and no name of the target."""
    X = np.random.default_rng(0).normal(size=(80, 3))
    y = np.where(X[:, 0] > 0, 5, 7)
    settings = Trainer(hidden=4, epochs=3, seed=0)
    model: Any = (
        Ensemble(settings, 2)
        if kind == "ensemble"
        else MLPClassifier(4, solver="lbfgs", max_iter=1_000)
    )
    model.fit(X, y).save(path := tmp_path / "m.safetensors")
    np.savez(data := tmp_path / "d.npz", rows=X, y=y)
    text, _ = command("predict", path, data)
    assert text.split() == ["prediction", *map(str, model.predict(X))]
    assert "does not know its target: give --target COLUMN" in fails("evaluate", path, data)
    text, _ = command("evaluate", path, data, "--target", "y")
    assert f"model       {model.score(X, y):.4f}" in text
    text, _ = command("info", path)
    assert ("an ensemble of 2" if kind == "ensemble" else "MLPClassifier") in text


def test_info(kinds: Path, command: Run) -> None:
    text, error = command("info", kinds)
    assert error == ""
    for line in (
        "target    kind: 2 classes: cheap, dear; loss softmax_cross_entropy",
        "          city          3 categories  Bad Orb, Köln, Ulm",
        "settings  Trainer(hidden=128, loss='softmax_cross_entropy', missing='impute', seed=0)",
        "held out  accuracy 0.",
        "hidden 1        128",
    ):
        assert f"\n{line}" in text, line
    assert re.search(r"\n +size +number +gaps become \d+\.\d+, marked by a column of", text)
    assert re.search(r"\nfit +\d+ epochs, ended by early_stopping; best epoch \d+:\n +loss", text)


ERRORS: dict[str, tuple[list[str], str]] = {
    "no model": (["predict", "no.safetensors", "{data}"], "no.safetensors: No such file"),
    "no data": (["predict", "{model}", "no.csv"], "no.csv: No such file"),
    "not a model": (["info", "{data}"], "cannot be read: it is no safetensors file, or truncated"),
    "ending": (
        ["predict", "{model}", "{data}", "--out", "p.txt"],
        "--out must end in one of .csv,",
    ),
    "folder": (["predict", "{model}", "{data}", "--out", "no/p.csv"], "there is no folder no"),
    "id": (["predict", "{model}", "{data}", "--id", "rows"], "no column 'rows' among"),
    "numbers": (["predict", "{model}", "{data}", "--probabilities"], "needs a model of classes"),
    "metric": (["evaluate", "{model}", "{data}", "--metric", "maa"], "did you mean 'mae'?"),
    "target": (["evaluate", "{model}", "{data}", "--target", "prize"], "did you mean 'price'?"),
    "text": (
        ["evaluate", "{model}", "{data}", "--target", "kind"],
        "target 'kind' does not fit the model: Y must hold numbers",
    ),
}


@pytest.mark.parametrize("case", ERRORS)
def test_errors_are_one_line(case: str, prices: Path, houses: Path, fails: Fails) -> None:
    arguments, match = ERRORS[case]
    places = {"{model}": prices, "{data}": houses}
    error = fails(*(places.get(argument, argument) for argument in arguments))
    assert error.startswith(f"fastmlp {arguments[0]}: error: ")
    assert match in error


def test_missing_columns_and_unknown_categories(
    prices: Path, houses: Path, command: Run, fails: Fails, tmp_path: Path
) -> None:
    table = pyarrow.csv.read_csv(houses)
    path = tmp_path / "new.csv"
    pyarrow.csv.write_csv(table.drop_columns(["size"]), path)
    assert "columns that the model needs are missing: 'size'" in fails("predict", prices, path)
    text = houses.read_text(encoding="utf-8").replace(",Ulm,", ",Aalen,")
    path.write_text(text, encoding="utf-8")
    _, error = command("predict", prices, path)
    assert error.count("\n") == 1
    assert error.startswith("warning: X['city'] holds 'Aalen', which no training row had")


@pytest.mark.parametrize("ending", [".csv", ".parquet", ".npy"])
def test_a_file_without_rows(
    ending: str, prices: Path, houses: Path, fails: Fails, tmp_path: Path
) -> None:
    path = tmp_path / "head.csv"
    path.write_text(houses.read_text(encoding="utf-8").partition("\n")[0] + "\n")
    error = fails("predict", prices, path, "--out", tmp_path / f"p{ending}")
    assert error == f"fastmlp predict: error: {path} has no rows\n"
    assert list(tmp_path.iterdir()) == [path]


def test_a_metric_that_is_not_defined(
    kinds: Path, houses: Path, command: Run, tmp_path: Path
) -> None:
    """As that of rows of one class."""
    lines = houses.read_text(encoding="utf-8").splitlines()
    path = tmp_path / "cheap.csv"
    path.write_text("\n".join(lines[:1] + [line for line in lines if ",cheap," in line]))
    text, _ = command("evaluate", kinds, path, "--metric", "roc_auc")
    assert re.search(r"\nmodel +nan  ", text)


def test_a_closed_pipe_is_silent(prices: Path, houses: Path) -> None:
    """As of ``| head -1``; also the command as a process."""
    command = [sys.executable, "-m", "fastmlp", "predict", str(prices), str(houses)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 128 + signal.SIGPIPE
