"""The commands of the page on the command line and of the help run, and print what it shows."""

import re
from pathlib import Path

import numpy as np
import pytest

from fastmlp.cli import main
from tests.cli.conftest import Run
from tests.helpers.basics import needs_compiler
from tests.helpers.pages import python_blocks, run_block
from tests.helpers.processes import ROOT

pytestmark = needs_compiler

PAGE = ROOT / "docs" / "how-to" / "command-line.md"


def plain(text: str) -> list[str]:
    """Lines without the numbers and widths of columns, which depend on the processor; without
    those of epochs and of kernels that are compiled."""
    lines = (re.sub(r"[-\d.,e+]*\d[\d.,]*", "0", line).split() for line in text.splitlines())
    return [" ".join(words) for words in lines if words and words[0] not in ("epoch", "compiling")]


def test_the_page_shows_what_is_printed(
    command: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    text = PAGE.read_text(encoding="utf-8")
    (table, _), (use, _), (sparse, _) = python_blocks(text)
    run_block(table + sparse, PAGE)
    shown = re.findall(r"^```sh\n(fastmlp [^\n]*)\n```\n\n```text\n(.*?)^```$", text, re.M | re.S)
    assert len(shown) == 6
    for line, wanted in shown:
        run, _, head = line.removeprefix("fastmlp ").partition(" | head -")
        printed, error = command(*run.split())
        lines = printed.splitlines()[: int(head) if head else None]
        assert plain("\n".join(lines) + error) == plain(wanted), line
        if run.startswith("predict"):
            predicted = [float(row.split(",")[1]) for row in lines[1:]]
    assert run_block(use, PAGE) == f"{np.array(predicted).round(2)}\n"


def test_the_examples_of_the_help_are_commands(
    houses: Path, kinds: Path, command: Run, capsys: pytest.CaptureFixture[str], tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """With the files and columns of the tests in place of theirs."""
    monkeypatch.chdir(tmp_path)
    names = {
        "iris.csv": houses, "churn.csv": houses, "new.csv": houses, "houses.parquet": houses,
        "species": "kind", "left": "kind", "rownames": "row", "id": "row",
    }  # fmt: skip
    for name in ("news.svm", "news_test.svm"):
        Path(name).write_text("1 1:1 4:2\n-1 2:3\n" * 10)
    count = 0
    for name in ("train", "predict", "evaluate", "info"):
        with pytest.raises(SystemExit):
            main([name, "--help"])
        text = capsys.readouterr().out.replace("\\\n", "")
        examples = re.findall(r"^  fastmlp (.*)$", text, re.M)
        assert examples
        for example in examples:
            if "mnist" in example:
                continue  # of 50 MB; test_arrays has a smaller one
            words = example.split()
            model = (lambda word: word) if name == "train" else (lambda word: kinds)
            places = [
                model(word) if word.endswith(".safetensors") else names.get(word, word)
                for word in words
            ]
            command(*places, *(["--epochs", "1", "--no-refit"] if name == "train" else []))
            count += 1
    assert count >= 8


def test_arrays(command: Run, tmp_path: Path) -> None:
    """Images with labels; the rows of another array."""
    import numpy as np

    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, 150)
    images = (rng.random((150, 4, 5)) * 50 + 60 * labels[:, None, None]).astype(np.uint8)
    np.savez(data := tmp_path / "d.npz", train=images, y=labels, test=images[:9])
    out = tmp_path / "m.safetensors"
    text, _ = command("train", data, "--target", "y", "--out", out)
    assert f"read      {data}: train of shape 150 × 4 × 5, uint8" in text
    text, _ = command("predict", out, data, "--array", "test")
    assert text.split() == ["y", *map(str, labels[:9])]
