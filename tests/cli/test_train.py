"""``fastmlp train``."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet
import pytest

import fastmlp
import fastmlp.cli.evaluate
import fastmlp.cli.sources
import fastmlp.cli.train
from fastmlp import Trainer
from fastmlp.cli import main
from fastmlp.cli.rows import useful
from fastmlp.cli.say import table as text_of
from fastmlp.cli.streamed import Subset
from fastmlp.streams import ArrayGroups
from fastmlp.streams.columns import select
from fastmlp.streams.opened import read_table
from tests.cli.conftest import N_ROWS, Run
from tests.helpers.basics import needs_compiler
from tests.helpers.processes import run as run_process

pytestmark = needs_compiler

Fails = Callable[..., str]


def scores(text: str) -> dict[str, list[float]]:
    """The lines of a table of scores."""
    found = re.findall(r"^(network|model|linear|majority|mean|median) +([-\d., ]+)$", text, re.M)
    return {name: [float(v.replace(",", "")) for v in line.split()] for name, line in found}


def test_all_that_is_done_is_said(houses: Path, command: Run, tmp_path: Path) -> None:
    out = tmp_path / "m.safetensors"
    text, error = command("train", houses, "--target", "kind", "--drop", "price", "--out", out)
    assert error == ""
    for line in (
        f"read      {houses}: {N_ROWS} rows, 8 columns",
        "target    kind: 2 classes (rows): ",
        "left out  row: the number of the row",
        f"          name: text, {N_ROWS} different values in {N_ROWS} rows",
        "          country: constant, 'DE'",
        "features  6 of numbers, 1 of categories",
        "          city: text, 3 categories",
        "          sold: date, 5 columns: year, month, day, weekday, days",
        "          size: 30 gaps, filled with the median, and marked",
        "held out  60 rows for the score, drawn at random; 240 to train on",
        f"          fastmlp predict {out} new.csv",
    ):
        assert f"\n{line}" in f"\n{text}", line
    found = scores(text)
    assert list(found) == ["network", "linear", "majority"]
    assert found["network"][0] > found["majority"][0] + 0.15
    assert found["network"][1] < found["majority"][1] - 0.02


def test_the_model_is_the_one_that_was_scored(
    houses: Path, prices: Path, command: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    model = fastmlp.load(prices)
    assert model.target_name == "price"
    assert (model.hidden, model.epochs, model.verbose, model.callbacks) == (16, 30, 0, ())
    assert list(model.feature_names_in_[-2:]) == ["city", "size"]
    assert model.held_out_scores["r2"] > 0.8
    again = prices.with_name("again.safetensors")
    options = ("--drop", "kind", "--hidden", 16, "--epochs", 30, "--out", again)
    text, _ = command("train", houses, "--target", "price", *options)
    assert scores(text)["network"][0] == round(model.held_out_scores["r2"], 4)
    for one, other in zip(model.get_weights(), fastmlp.load(again).get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_all_rows_are_trained_on(houses: Path, command: Run, tmp_path: Path) -> None:
    out = tmp_path / "m.safetensors"
    options = ("--hidden", 4, "--epochs", 2, "--drop", "kind", "--out", out)
    text, _ = command("train", houses, "--target", "price", "--all-rows", *options)
    assert "again     on all 300 rows" in text
    assert "trained on 300 rows" in text
    first = fastmlp.load(out)
    assert first.model_.mean_weight.rows in (300, 600)
    text, _ = command("train", houses, "--target", "price", "--held-out", 0, *options)
    assert "score     none, as no rows were held out" in text
    for one, other in zip(first.get_weights(), fastmlp.load(out).get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_rows_for_the_score_from_a_file(houses: Path, command: Run, tmp_path: Path) -> None:
    """In other columns, some without a target; they are not trained on."""
    lines = houses.read_text(encoding="utf-8").splitlines()
    test = tmp_path / "test.csv"
    rows = [",".join(line.split(",")[::-1]) for line in lines[:101]]
    rows[1] = "," + rows[1].partition(",")[2]
    test.write_text("\n".join(rows), encoding="utf-8")
    options = ("--hidden", 4, "--epochs", 2, "--drop", "kind", "--out", tmp_path / "m.safetensors")
    text, _ = command("train", houses, "--target", "price", "--test", test, *options)
    assert "left out  1 rows without price" in text
    assert f"held out  99 rows for the score, those of {test}; 300 to train on" in text


def test_weights_count_rows(command: Run, tmp_path: Path) -> None:
    """Rows of weight 0, with the other label, have no effect on fit and score."""
    rows = [(k % 7, k % 2, "ab"[(k % 7 > 3) == k % 2]) for k in range(400)]
    data, out = tmp_path / "t.csv", tmp_path / "m.safetensors"
    data.write_text("x,w,y\n" + "".join(f"{x},{w},{y}\n" for x, w, y in rows), encoding="utf-8")
    options = ("--weights", "w", "--hidden", 8, "--out", out)
    text, _ = command("train", data, "--target", "y", *options)
    assert scores(text)["network"][0] == 1
    assert fastmlp.load(out).n_features_in_ == 1


def test_numbers_in_tables() -> None:
    """Without a negative zero."""
    assert text_of([["mean", -0.00004, -0.00006, 1_000]]) == "mean  0.0000  -0.0001  1,000"


def test_arrays_without_targets(fails: Fails, tmp_path: Path) -> None:
    np.save(data := tmp_path / "X.npy", np.zeros((9, 2)))
    error = fails("train", data, "--target", "y", "--out", tmp_path / "m.safetensors")
    assert "X.npy holds one array, without targets: train takes arrays in .npz" in error


def test_a_saved_index(command: Run, fails: Fails, tmp_path: Path) -> None:
    """It has no name, and numbers are missing where rows were removed, here or before."""
    data, out = tmp_path / "t.csv", tmp_path / "m.safetensors"
    rows = [f"{k},{k % 9},{k % 4 / 8 if k % 10 else ''}\n" for k in range(100) if k % 3]
    data.write_text(",x,y\n" + "".join(rows), encoding="utf-8")
    options = ("--target", "y", "--epochs", 2, "--out", out)
    text, _ = command("train", data, *options)
    assert "left out  6 rows without y\n" in text
    assert "left out  '': the number of the row\n" in text
    assert fastmlp.load(out).feature_names_in_.tolist() == ["x"]
    assert "no column 'z' among '', x" in fails("train", data, *options, "--drop", "z")
    assert "'y' is that of --target" in fails("train", data, *options, "--drop", "y")


def test_dates_in_another_format(command: Run, tmp_path: Path) -> None:
    data = tmp_path / "t.csv"
    rows = [f"{k % 28 + 1}.12.2024,{k % 3},{k % 7 / 2}\n" for k in range(60)]
    data.write_text("day,x,y\n" + "".join(rows), encoding="utf-8")
    options = ("--target", "y", "--epochs", 2, "--held-out", 0)
    text, _ = command("train", data, *options, "--out", tmp_path / "m.safetensors")
    advice = "dates must be as 2024-12-31, or of a type of dates"
    assert f"\nwarning   day: text such as 1.12.2024; {advice}\n" in text


def test_the_linear_model_has_the_weights_of_classes(
    command: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng, data = np.random.default_rng(0), tmp_path / "t.csv"
    x = rng.normal(size=600)
    y = np.where(x + rng.normal(size=600) > 1.8, "rare", "usual")
    lines = [f"{a:.3f},{b}\n" for a, b in zip(x, y, strict=True)]
    data.write_text("x,y\n" + "".join(lines), encoding="utf-8")
    options = ("--class-weight", "balanced", "--metric", "balanced_accuracy")
    text, _ = command("train", data, "--target", "y", *options, "--out", tmp_path / "m.safetensors")
    assert f"2 classes (rows): usual ({(y == 'usual').sum()}), rare (" in text
    assert scores(text)["linear"][0] > 0.7


SETTINGS: list[tuple[list[str], dict[str, Any]]] = [
    (["--hidden", "4,3", "--activation", "tanh"], {"hidden": (4, 3), "activation": "tanh"}),
    (["--preset", "tabular", "--no-refit"], {"refit": False, "missing": "impute"}),
    (["--preset", "images", "--hidden", "5"], {"hidden": 5, "dropout": (0.1, 0.4)}),
    (["--preset", "text", "--no-refit"], {"scaling": None, "batch_size": 32, "refit": False}),
    (["--metric", "mae,r2", "--dtype", "float64"], {"metrics": ("mae", "r2"), "dtype": "float64"}),
    (["--early-stopping", "--no-shuffle"], {"early_stopping": True, "shuffle": False}),
    (
        ["--optimizer", "SGD(momentum=0.5)", "--scaling", "none", "--seed", "7"],
        {"optimizer": fastmlp.optimizers.SGD(momentum=0.5), "scaling": None, "seed": 7},
    ),
]


@pytest.mark.parametrize(("options", "wanted"), SETTINGS, ids=[" ".join(s[0]) for s in SETTINGS])
def test_settings(options: list[str], wanted: dict[str, Any], houses: Path, tmp_path: Path) -> None:
    out = tmp_path / "m.safetensors"
    fast = [] if "images" in options or "tabular" in options else ["--epochs", "2"]
    data = ["train", str(houses), "--target", "price", "--drop", "kind", "--time-budget", "1"]
    if "tabular" not in options:
        data += ["--held-out", "0"]
    main([*data[:6], *data[8:], *fast, *options, "--out", str(out)])
    model = fastmlp.load(out)
    assert {name: getattr(model, name) for name in wanted} == wanted


def test_every_setting_is_an_option(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["train", "--help"])
    text = capsys.readouterr().out
    for name in set(vars(Trainer())) & set(Trainer().get_params()):
        option = f"--{name.replace('_', '-')}"
        assert (option in text) == (name not in ("callbacks", "verbose", "warm_start")), name
    assert "Units of the hidden layers; () for a linear model; default: 128" in " ".join(
        text.split()
    )


# -------------------------------------------------------------------------------------- large files


def in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (fastmlp.cli.sources, fastmlp.cli.evaluate):
        monkeypatch.setattr(module, "LARGE", 1_000)


@pytest.mark.parametrize("ending", ["parquet", "csv"])
def test_a_large_file_is_read_in_pieces(
    ending: str, houses: Path, command: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Text that names rows is left out; the score is that of rows that were not trained on."""
    in_pieces(monkeypatch)
    data, out = tmp_path / f"houses.{ending}", tmp_path / "m.safetensors"
    table = read_table(str(houses))
    if ending == "csv":
        data = houses
    else:
        shuffled = pyarrow.Table.from_pandas(table.to_pandas().sample(frac=1, random_state=0))
        assert "__index_level_0__" in shuffled.column_names  # which is no feature
        pyarrow.parquet.write_table(shuffled, data, row_group_size=150)
    options = ("--drop", "kind", "row", "--hidden", 16, "--epochs", 60, "--out", out)
    text, error = command("train", data, "--target", "price", *options)
    assert error == ""
    for line in (
        f"read      {data}: 300 rows, 8 columns, in pieces",
        "left out  name: text, 300 different values in 300 rows",
        "          sold: date, 5 columns: year, month, day, weekday, days",
        "          city: text, 3 categories in the sample",
        "          size: 30 gaps, filled with the median, and marked",
    ):
        assert f"\n{line}" in f"\n{text}", line
    held_out = re.search(r"held out  (\d+) rows for the score, drawn at random; (\d+) to", text)
    assert held_out is not None
    assert int(held_out[1]) + int(held_out[2]) == 300
    assert 30 <= int(held_out[1]) <= 90
    assert list(scores(text)) == ["network", "linear", "mean"]
    model = fastmlp.load(out)
    assert model.held_out_scores["r2"] > 0.8
    assert model.model_.mean_weight.rows == int(held_out[2])
    assert [*model.feature_names_in_[-3:]] == ["city", "size", "country"]
    evaluated, _ = command("evaluate", out, data)
    table = select(table, model.feature_names_in_.tolist())
    y = read_table(str(houses))["price"].to_numpy()
    assert scores(evaluated)["model"][0] == round(model.score(table, y), 4)


def test_a_large_file_without_some_targets(
    houses: Path, fails: Fails, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    in_pieces(monkeypatch)
    options = ("--target", "size", "--regression", "--out", tmp_path / "m.safetensors")
    assert "in pieces must have 'size' in each row" in fails("train", houses, *options)


def test_both_subsets_are_all_rows(tmp_path: Path) -> None:
    """Each row is in one of the two; the same ones for a seed."""
    x = np.arange(1_000.0)
    groups = ArrayGroups(np.tile(x[:, None], (1, 200)), x)
    parts = [Subset(groups, 0.2, 0, held_out=held_out) for held_out in (True, False, True)]
    rows = [np.concatenate([y for _, y, _ in part]) for part in parts]
    assert [sum(part.sizes) for part in parts] == list(map(len, rows))
    assert sorted(np.concatenate(rows[:2])) == x.tolist()
    np.testing.assert_array_equal(rows[0], rows[2])
    assert 150 < len(rows[0]) < 250
    other = Subset(groups, 0.2, 1, held_out=True)
    assert set(np.concatenate([y for _, y, _ in other])) != set(rows[0])


# -------------------------------------------------------------------------------------- interrupts


def test_an_interrupt_saves_the_model(
    houses: Path, fails: Fails, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def interrupt(trainer: Trainer, epoch: int, logs: dict[str, float]) -> None:
        if epoch == last:
            raise KeyboardInterrupt

    monkeypatch.setattr(fastmlp.cli.train, "print_epoch", interrupt)
    out = tmp_path / "m.safetensors"
    arguments = ("train", houses, "--target", "price", "--hidden", 4, "--out", out)
    last = 0
    line = fails(*arguments, code=130)
    assert line == f"fastmlp train: interrupted: the model of 1 epochs is saved in {out}\n"
    assert fastmlp.load(out).n_iter_ == 1

    def score(*_: object) -> None:
        raise KeyboardInterrupt

    last = 5_000
    monkeypatch.setattr(fastmlp.cli.train, "score_table", score)
    line = fails(*arguments, "--epochs", 2, code=130)
    assert line == f"fastmlp train: interrupted: the model that was trained is in {out}\n"
    assert fastmlp.load(out).n_iter_ == 2


def test_warnings_are_one_line(houses: Path, command: Run, tmp_path: Path) -> None:
    options = ("--epochs", 12, "--hidden", 4, "--drop", "kind")
    out = tmp_path / "m.safetensors"
    _, error = command("train", houses, "--target", "price", *options, "--out", out)
    assert re.fullmatch(r"warning: (?!Trainer).*still fell.*\n", error), error


# ------------------------------------------------------------------------------------------ errors

ERRORS: dict[str, tuple[list[str], str]] = {
    "no target": (["--out", "m.safetensors"], "only files of libsvm have none, which end in .svm"),
    "out": (["--target", "price", "--out", "m.pt"], "--out must end in '.safetensors'; got 'm.pt'"),
    "folder": (["--target", "price", "--out", "no/m.safetensors"], "there is no folder no"),
    "target": (["--target", "prise"], "there is no column 'prise' among"),
    "hint": (["--target", "Price"], "did you mean 'price'?"),
    "drop": (["--target", "price", "--drop", "citi"], "--drop: there is no column 'citi'"),
    "weights": (["--target", "price", "--weights", "w"], "there is no column 'w' among"),
    "whole": (
        ["--target", "row"],
        "'row' holds 300 different whole numbers, which may be classes or quantities: add "
        "--classification, --regression, or --loss poisson for counts",
    ),
    "text": (["--target", "kind", "--regression"], "target 'kind' holds text, which is classes"),
    "two": (["--target", "kind", "--regression", "--loss", "huber"], "no effect beside --loss"),
    "names as classes": (
        ["--target", "name"],
        "'name' holds 300 different texts in 300 rows",
    ),
    "date": (["--target", "sold"], "column 'sold' must hold numbers or text; got date32"),
    "one class": (["--target", "country"], "there must be two classes or more; got only ['DE']"),
    "text as weights": (["--target", "price", "--weights", "city"], "'city' must hold numbers;"),
    "no weight": (["--target", "price", "--weights", "size"], "'size' has no value in 30 rows"),
    "spaces": (["--target", "price", "--hidden", "4", "4"], "values are separated by commas"),
    "commas": (["--target", "price", "--drop", "row,city"], "'row,city' among row, name, sold, "),
    "names": (["--target", "price", "--drop", "row,city"], "separate names by spaces"),
    "share": (["--target", "price", "--held-out", "1.5"], "--held-out must be"),
    "both": (["--target", "price", "--test", "t.csv", "--held-out", "0"], "not allowed with"),
    "no test": (["--target", "price", "--test", "t.csv"], "t.csv: No such file or directory"),
    "option": (["--target", "price", "--hiden", "3"], "--hiden 3; did you mean '--hidden'?"),
    "other name": (["--target", "price", "--lr", "0.1"], "did you mean '--learning-rate'?"),
    "value": (["--target", "price", "--activation", "relo"], "did you mean 'relu'?"),
    "detail": (["--target", "price", "--optimizer", "Adam(beta=1)"], "did you mean 'beta"),
    "metric": (["--target", "price", "--metric", "f1"], "metric 'f1' does not fit loss="),
    "preset": (["--target", "price", "--preset", "table"], "invalid choice: 'table'"),
}


@pytest.mark.parametrize("case", ERRORS)
def test_errors_are_one_line(
    case: str, houses: Path, fails: Fails, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    options, match = ERRORS[case]
    out = [] if "--out" in options else ["--out", "m.safetensors"]
    error = fails("train", houses, *options, *out)
    assert error.startswith("fastmlp train: error: ")
    assert match in error
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "content", "match"),
    [
        ("empty.csv", "", "is empty"),
        ("head.csv", "a,b\n", "has no rows"),
        ("gaps.csv", "a,b\n1,\n2,\n", "no row has a value of 'b'"),
        (
            "ids.csv",
            "".join(f"n{k},{k % 2}\n" for k in range(-1, 50)).replace("n-1,1", "a,b"),
            "no columns",
        ),
        ("few.csv", "a,b\n1,x\n2,y\n", "--held-out 0.2 of 2 rows leaves none"),
        ("table.txt", "a,b\n1,2\n", "must end in one of .csv"),
        ("no.parquet", None, "No such file or directory"),
    ],
)
def test_files_without_use(
    name: str, content: str | None, match: str, fails: Fails, tmp_path: Path
) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_text(content)
    assert match in fails("train", path, "--target", "b", "--out", tmp_path / "m.safetensors")


@pytest.mark.full
def test_it_says_that_kernels_are_compiled(houses: Path, tmp_path: Path) -> None:
    out = tmp_path / "m.safetensors"
    arguments = ["train", str(houses), "--target", "kind", "--epochs", "2", "--out", str(out)]
    code = f"from fastmlp.cli import main; main({arguments!r})"
    for cold in (True, False):
        text = run_process(code, timeout=300, NUMBA_CACHE_DIR=str(tmp_path))
        assert ("\n          compiling kernels, once on this machine" in text) == cold


def test_without_pyarrow(houses: Path, kinds: Path) -> None:
    """Commands that read no table run; train names the extra."""
    code = f"""
import sys
sys.modules["pyarrow"] = None
from fastmlp.cli import main
main(["info", {str(kinds)!r}])
sys.stderr = sys.stdout
main(["train", {str(houses)!r}, "--target", "price", "--out", "m.safetensors"])
"""
    with pytest.raises(AssertionError, match=r"pip install 'fastmlp\[files\]'") as ended:
        run_process(code)
    assert "Trainer(hidden=128" in str(ended.value)


def test_many_categories(command: Run, tmp_path: Path) -> None:
    """2,000 and more, of each of which there are several rows, are used."""
    users = np.random.default_rng(0).permutation(np.arange(8800) % 2200).tolist()
    data, out = tmp_path / "users.csv", tmp_path / "users.safetensors"
    rows = [f"u{user},{k * 7 % 11},{user % 2}" for k, user in enumerate(users)]
    data.write_text("\n".join(["user,a,y", *rows]))
    options = ["--classification", "--epochs", 5, "--learning-rate", 0.01, "--out", out]
    text, _ = command("train", data, "--target", "y", *options)
    assert "user: text, 2,200 categories" in text
    assert "left out" not in text
    assert scores(text)["network"][0] > 0.9
    text, _ = command("predict", out, data)
    assert text.count("\n") > 8800


def test_columns_of_the_most_categories_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    counts = {"few": 3, "many": 2500, "most": 3000}
    table = pyarrow.table({k: [f"{row % n}" for row in range(9000)] for k, n in counts.items()})
    assert useful(table, [], whole=True) == ([*counts], [])
    limit = "all columns of a file read in pieces may have 2,000"
    said = [f"{name}: {counts[name]:,} categories; {limit}" for name in ("most", "many")]
    assert useful(table, [], whole=False) == (["few"], said)
    monkeypatch.setattr("fastmlp.cli.rows._MOST_CATEGORIES", 3000)
    assert useful(table, [], whole=True)[0] == ["few", "many"]
    assert useful(table, ["most"], whole=True)[0] == ["most"]
