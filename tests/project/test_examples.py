"""The scripts in examples/ but that of MNIST: what they print holds, and the picture is there."""

import os
import re
import struct
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

import fastmlp
from tests.helpers.basics import needs_compiler
from tests.helpers.scripts import loaded

FOLDER = Path(__file__).parents[2] / "examples"
SCRIPTS = (
    "regression", "imbalanced", "overfitting", "early_stopping", "search", "resume",
    "keras_and_pytorch", "monte_carlo", "cluster", "text", "streaming",
)  # fmt: skip


def run(
    script: str, cwd: Path, *arguments: str, changes: str = ""
) -> subprocess.CompletedProcess[str]:
    """Run a script, with ``changes`` of its constants."""
    # the script imports the very fastmlp that the tests import, installed or not
    path = [str(FOLDER), str(Path(fastmlp.__file__).parents[1]), os.environ.get("PYTHONPATH", "")]
    code = f"import {script} as script; {changes}; script.main()"
    command = ["-c", code] if changes else [str(FOLDER / f"{script}.py")]
    return subprocess.run(
        [sys.executable, *command, *arguments],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, path))},
        capture_output=True,
        text=True,
        timeout=300,
    )


def printed(script: str, folder: Path, changes: str = "") -> str:
    """What it prints; the picture is looked at where there is matplotlib."""
    result = run(script, folder, changes=changes)
    assert result.returncode == 0, result.stderr
    assert "Warning" not in result.stderr
    if find_spec("matplotlib") is None:
        assert "pip install '.[plot]'" in result.stdout
        return result.stdout
    picture = folder / f"{script}.png"
    assert result.stdout.splitlines()[-1] == f"picture written to {picture.name}"
    signature, width, height = struct.unpack(">8s8x2I", picture.read_bytes()[:24])
    assert signature == b"\x89PNG\r\n\x1a\n"
    assert (width, height) == (1200, 504)
    return result.stdout


def numbers(line: str) -> list[float]:
    return [float(number) for number in re.findall(r"-?\d+\.?\d*", line.replace(",", ""))]


def numbers_of(text: str, start: str) -> list[float]:
    """Of the one line that starts so, behind that."""
    (line,) = (line for line in text.splitlines() if line.strip().startswith(start))
    return numbers(line.strip().removeprefix(start))


@pytest.mark.full
@needs_compiler
def test_regression_is_near_the_truth(tmp_path: Path) -> None:
    text = printed("regression", tmp_path)
    r2, euros = numbers_of(text, "mean: R²")
    # The noise alone leaves 0.81, and 407 euros on average.
    assert 0.75 < r2 < 0.85
    assert 350 < euros < 500
    for nominal in (10, 50, 90):
        share, error = numbers_of(text, f"{nominal}%")
        assert abs(share - nominal) < 3
        assert error < 80
    (inside,) = numbers_of(text, "between the outer two:")
    assert abs(inside - 80) < 4
    _, low, high, _, far_low, far_high, _ = numbers_of(text, "Four of five flats")
    assert high - low > 2 * (far_high - far_low) > 0


@pytest.mark.full
@needs_compiler
def test_balanced_weights_find_rare_classes(tmp_path: Path) -> None:
    text = printed("imbalanced", tmp_path)
    recalls = [numbers_of(text, f"{state}, found of")[1:] for state in ("sound", "worn", "faulty")]
    balanced = numbers_of(text, "balanced accuracy (mean of these)")
    for trainer in range(2):
        mean = sum(recall[trainer] for recall in recalls) / 3
        assert mean == pytest.approx(balanced[trainer], abs=0.11)  # of rounded ones
    assert balanced[1] > balanced[0] + 4
    for rare in recalls[1:]:
        assert rare[1] > rare[0]
    plain, weighted = numbers_of(text, "accuracy")
    assert plain > weighted > 85
    missed, rare, missed_before, alarms = numbers_of(text, "Balanced weights miss")
    assert missed < missed_before / 2 < rare / 2
    assert 0 < alarms < 3_000


@pytest.mark.full
@needs_compiler
def test_regularisation_helps(tmp_path: Path) -> None:
    text = printed("overfitting", tmp_path)
    without, *others = (
        numbers_of(text, name)
        for name in ("no regularisation", "dropout 0.5", "weight decay 1 (AdamW)")
    )
    loss, accuracy, val_loss, val_accuracy, least, _ = without
    assert loss < 0.2
    assert accuracy > 95
    assert val_loss > least + 0.1
    for other in others:
        assert other[0] > loss
        assert other[2] < val_loss - 0.1
        assert other[3] > val_accuracy + 1
    best, *_, without_any = numbers_of(text, "Regularisation keeps")
    assert (best, without_any) == (max(other[3] for other in others), val_accuracy)


@pytest.mark.full
@needs_compiler
def test_early_stopping_saves_epochs(tmp_path: Path) -> None:
    text = printed("early_stopping", tmp_path)
    to_the_end, stopped, refitted = (
        numbers_of(text, name) for name in ("to the end", "early stopping", "and a refit")
    )
    _, best, accuracy = stopped
    assert to_the_end[:2] == [60, 60]
    assert stopped[0] == best + 5 < 30
    assert refitted[:2] == [2 * best + 5, best]
    assert accuracy > to_the_end[2] + 4
    assert refitted[2] > accuracy > 80
    gain, epochs, _, further = numbers_of(text, "Stopping gains")
    assert epochs == stopped[0]
    assert gain == pytest.approx(accuracy - to_the_end[2], abs=0.06)
    assert further == pytest.approx(refitted[2] - accuracy, abs=0.06)


@pytest.mark.full
@needs_compiler
def test_a_search_finds_a_rate(tmp_path: Path) -> None:
    text = printed("search", tmp_path)
    assert text.startswith("60 networks:")
    for name, low, high in (("sgd", 0.05, 1), ("adam", 0.0005, 0.02)):
        rate, accuracy = numbers_of(text, f"{name}: best learning rate")
        assert low < rate < high
        assert 91 < accuracy < 96
    line = next(line for line in text.splitlines() if line.startswith("The search found adam"))
    _, best, _, default = numbers(line)
    assert best > default > 90


@pytest.mark.full
@needs_compiler
def test_an_interrupted_fit_goes_on(tmp_path: Path) -> None:
    text = printed("resume", tmp_path)
    assert "the checkpoint has 4 epochs" in text
    assert "weights equal, bit for bit: True" in text
    assert "losses and learning rates equal: True" in text
    whole, resumed = numbers_of(text, "test accuracy:")
    assert whole == resumed > 94
    assert "The interrupt cost one epoch of 10, not 5" in text
    assert [path.name for path in tmp_path.iterdir()] == ["resume.png"]


@pytest.mark.full
@needs_compiler
def test_weights_move_between_systems(tmp_path: Path) -> None:
    text = printed("keras_and_pytorch", tmp_path)
    systems = ["Keras", "fastmlp", "PyTorch", "fastmlp", "Keras"]
    if find_spec("torch") is None:
        assert "PyTorch is not installed" in text
        systems[2:4] = []
    lines = text.splitlines()
    accuracies = [line.split(":") for line in lines if "accuracy" in line]
    assert [name for name, _ in accuracies] == systems
    found = [numbers(said)[0] for _, said in accuracies]
    assert found[0] > 88
    assert min(found[1:]) > found[0]
    gaps = [float(line.rpartition(" ")[2]) for line in lines if "difference" in line]
    assert len(gaps) == len(systems) - 1
    assert max(gaps) < 1e-5
    assert f"in {len(gaps)} moves no probability changed" in text


@pytest.mark.full
@needs_compiler
def test_a_compiled_walk_goes_further(tmp_path: Path) -> None:
    text = printed("monte_carlo", tmp_path, changes="script.N_WALKS = 3")
    assert numbers_of(text, "the network explains")[0] > 99
    (slow, _, far), (fast, _, near) = (
        numbers_of(text, f"{name}:") for name in ("in Python", "compiled")
    )
    assert fast > 5 * slow
    assert near < far
    assert near < 0.05
    assert numbers_of(text, "Compiled, the walk makes") == pytest.approx(
        [fast / slow, far / near], rel=0.3
    )


@pytest.mark.full
@needs_compiler
def test_workers_train_as_one_process_does(tmp_path: Path) -> None:
    text = printed("cluster", tmp_path)
    accuracies = [
        numbers_of(text, f"{which}: test accuracy")[0]
        for which in ("one process", "one worker", "two workers")
    ]
    assert min(accuracies) > 96.5
    assert max(accuracies) - min(accuracies) < 0.6
    for which in ("GridSearchCV", "client.map"):
        rate, accuracy = numbers_of(text, f"{which}: best learning rate")
        assert 0.0003 <= rate <= 0.03
        assert accuracy > 90


@pytest.mark.full
@needs_compiler
def test_a_network_reads_docstrings(tmp_path: Path) -> None:
    text = printed("text", tmp_path, changes="script.PACKAGES = 'matplotlib', 'numpy'")
    accuracies = {
        name: numbers_of(text, name)[0]
        for name in (
            "LogisticRegression",
            "fastmlp, linear by",
            "fastmlp, defaults",
            "fastmlp, for",
        )
    }
    assert min(accuracies.values()) > 85
    assert accuracies["fastmlp, for"] > accuracies["LogisticRegression"] - 2
    # The same numbers, but for their order in sums.
    ours, theirs = (
        numbers_of(text, f"{owner}MLPClassifier")[0] for owner in ("fastmlp.", "sklearn's ")
    )
    assert ours == pytest.approx(theirs, abs=1)
    assert "and save the figure.' is from matplotlib" in text
    gain, _ = numbers_of(text, "The network is")
    difference = accuracies["fastmlp, for"] - accuracies["LogisticRegression"]
    assert gain == pytest.approx(difference, abs=0.11)  # of rounded ones


@pytest.mark.full
@needs_compiler
def test_a_stream_needs_little_memory(tmp_path: Path) -> None:
    text = printed("streaming", tmp_path, changes="script.N_CHUNKS = 15")
    _, total = numbers_of(text, "rows:")
    (most,) = numbers_of(text, "most memory at a time:")
    assert total == 470
    # The digits, padded, are 61 MB, two chunks 63.
    assert 100 < most < 250
    for which in ("shifted digits:", "2 epochs of the digits as they are:"):
        assert numbers_of(text, f"test accuracy, {which}")[0] > 95


def ends(script: str, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> Any:
    """The exit code of a script that ends at its arguments."""
    monkeypatch.syspath_prepend(FOLDER)
    monkeypatch.setattr(sys, "argv", [script, *arguments])
    with pytest.raises(SystemExit) as ended:
        loaded(FOLDER / f"{script}.py").main()
    return ended.value.code


@pytest.mark.parametrize("script", SCRIPTS)
def test_help_names_the_options(
    script: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ends(script, monkeypatch, "--help") == 0
    shown = capsys.readouterr().out
    for option in ("--seed", "--plot", "--no-plot", f"{script}.png"):
        assert option in shown


@pytest.mark.parametrize("script", SCRIPTS)
def test_picture_into_missing_folder_is_refused_before_training(
    script: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ends(script, monkeypatch, "--plot", "no/such/picture.png") == 2
    out, error = capsys.readouterr()
    assert "no such folder" in error
    assert not out


@pytest.mark.full
@needs_compiler
def test_no_plot_leaves_no_file(tmp_path: Path) -> None:
    result = run("imbalanced", tmp_path, "--no-plot", "--seed", "1")
    assert result.returncode == 0, result.stderr
    assert not list(tmp_path.iterdir())


def test_every_script_is_tested() -> None:
    names = {path.stem for path in FOLDER.glob("*.py")}
    assert names == {*SCRIPTS, "mnist", "picture", "server"}
