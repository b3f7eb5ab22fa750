"""examples/mnist.py and its data: the files are MNIST, and the script does what it says."""

import hashlib
import os
import re
import struct
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

import fastmlp
from tests.helpers.basics import needs_compiler
from tests.helpers.scripts import loaded

SCRIPT = Path(__file__).parents[2] / "examples" / "mnist.py"
IDX_MD5 = {  # of the four original files, unpacked
    "train_images": "6bbc9ace898e44ae57da46a324031adb",
    "train_labels": "a25bea736e30d166cdddb491f175f624",
    "test_images": "2646ac647ad5339dbf082846283269ea",
    "test_labels": "27ae3e4e09519cfbb04c329615203637",
}
NUMBER = r"\d+\.\d{4}"


@pytest.fixture(scope="module")
def mnist() -> ModuleType:
    return loaded(SCRIPT)


def run(cwd: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    # the script imports the very fastmlp that the tests import, installed or not
    path = [str(Path(fastmlp.__file__).parents[1]), os.environ.get("PYTHONPATH", "")]
    return subprocess.run(
        [sys.executable, str(SCRIPT), *arguments],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, path))},
        capture_output=True,
        text=True,
        timeout=300,
    )


def accuracy_printed(result: subprocess.CompletedProcess[str]) -> float:
    assert result.returncode == 0, result.stderr
    found = re.search(rf"^test accuracy ({NUMBER}); fit took \d+\.\d\d s", result.stdout, re.M)
    assert found, result.stdout
    return float(found[1])


def idx_bytes(array: np.ndarray) -> bytes:
    """The IDX file of a uint8 array: magic 0x800 + dimensions and shape, big-endian; the bytes."""
    header = struct.pack(f">{1 + array.ndim}I", 0x800 + array.ndim, *array.shape)
    return header + array.tobytes()


@pytest.mark.parametrize("name", IDX_MD5)
def test_data_are_the_original_files(mnist: ModuleType, name: str) -> None:
    with np.load(mnist.DATA) as data:
        array = data[name]
    assert array.dtype == np.uint8
    assert hashlib.md5(idx_bytes(array), usedforsecurity=False).hexdigest() == IDX_MD5[name]


@pytest.mark.full
def test_load_mnist(mnist: ModuleType) -> None:
    X_train, Y_train, X_test, Y_test = mnist.load_mnist()
    for X, Y, n in ((X_train, Y_train, 60_000), (X_test, Y_test, 10_000)):
        assert X.shape == (n, 784)
        assert X.dtype == np.float32
        assert X.flags.c_contiguous
        assert (X.min(), X.max()) == (0, 1)
        assert Y.shape == (n,)
        np.testing.assert_array_equal(np.unique(Y), np.arange(10))
    with np.load(mnist.DATA) as data:
        pixels = data["test_images"][0].ravel()
    np.testing.assert_array_equal(X_test[0], pixels.astype(np.float32) / np.float32(255))


@pytest.mark.full
@needs_compiler
def test_keras_config_prints_epoch_accuracy_and_comparison(tmp_path: Path) -> None:
    result = run(tmp_path, "--config", "keras", "--epochs", "1", "--no-plot")
    assert accuracy_printed(result) > 0.85
    names = ("loss", "accuracy", "val_loss", "val_accuracy")
    metrics = "   ".join(f"{name} +({NUMBER})" for name in names)
    line = rf"^epoch 1/1   {metrics}   +[\d.]+ s +[\d,]+ samples/s$"
    epoch = re.search(line, result.stdout, re.M)
    assert epoch, result.stdout
    _, _, val_loss, val_accuracy = epoch.groups()
    assert abs(float(val_loss) - 0.3760) < 0.02
    assert abs(float(val_accuracy) - 0.8997) < 0.006
    comparison = result.stdout.splitlines()[-1].split()
    assert comparison == ["1", "0.3760", val_loss, "0.8997", val_accuracy]
    assert not list(tmp_path.iterdir())


@needs_compiler
def test_default_config_scores_the_test_digits(tmp_path: Path) -> None:
    result = run(tmp_path, "--epochs", "1", "--no-plot")
    accuracy = accuracy_printed(result)
    assert accuracy > 0.94
    assert "val_loss and val_accuracy: test, 10,000 digits" in result.stdout
    assert f"val_accuracy  {accuracy:.4f}" in result.stdout


@pytest.mark.full
@needs_compiler
def test_the_preset_of_images(tmp_path: Path) -> None:
    result = run(tmp_path, "--config", "images", "--epochs", "1", "--no-plot")
    assert accuracy_printed(result) > 0.95


@pytest.mark.full
@needs_compiler
def test_plot_option_writes_png(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    path = tmp_path / "curves.png"
    result = run(tmp_path, "--config", "keras", "--epochs", "1", "--plot", str(path))
    accuracy_printed(result)
    assert f"picture written to {path}" in result.stdout
    signature, width, height = struct.unpack(">8s8x2I", path.read_bytes()[:24])
    assert signature == b"\x89PNG\r\n\x1a\n"
    assert (width, height) == (1200, 504)


def test_without_matplotlib_names_the_extra(
    mnist: ModuleType,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    mnist.plot({"loss": [1.0], "accuracy": [0.5]}, tmp_path / "curves.png", "title", "test", {})
    assert "pip install '.[plot]'" in capsys.readouterr().out
    assert not list(tmp_path.iterdir())


@pytest.mark.full
def test_unknown_config_lists_the_choices(tmp_path: Path) -> None:
    result = run(tmp_path, "--config", "nope")
    assert result.returncode == 2
    for choice in ("nope", "default", "keras", "scratch"):
        assert choice in result.stderr


def test_plot_into_missing_folder_is_refused_before_training(tmp_path: Path) -> None:
    result = run(tmp_path, "--plot", str(tmp_path / "missing" / "curves.png"))
    assert result.returncode == 2
    assert "no such folder" in result.stderr
    assert not result.stdout
