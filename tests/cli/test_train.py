"""``fastmlp train``."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fastmlp
from fastmlp import Trainer
from fastmlp.cli import main
from tests.cli.conftest import N_ROWS, Run
from tests.helpers.basics import needs_compiler

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


SETTINGS: list[tuple[list[str], dict[str, Any]]] = [
    (["--hidden", "4,3", "--activation", "tanh"], {"hidden": (4, 3), "activation": "tanh"}),
    (["--preset", "tabular", "--no-refit"], {"refit": False, "missing": "impute"}),
    (["--preset", "images", "--hidden", "5"], {"hidden": 5, "dropout": (0.1, 0.4)}),
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
    assert "Units of the hidden layers" in text
