"""``fastmlp warmup``."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

import fastmlp.cli.warmup
from fastmlp.cli import main
from tests.helpers.basics import needs_compiler
from tests.helpers.processes import run
from tests.test_warmup import ANY_DATA, kernels_of

pytestmark = needs_compiler

LINE = r"compiled (\d+) kernels in (\d+\.\d) s; (\d+) are kept in (.+)\n"


def test_it_says_what_was_compiled_and_where_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    for hidden, compiled in (("5,4", None), ("[5, 4]", 0)):
        main(["warmup", "--hidden", hidden, "--features", "3", "--classes", "2"])
        found = re.fullmatch(LINE, capsys.readouterr().out)
        assert found is not None
        assert compiled in (None, int(found[1]))
        assert len(list(Path(found[4]).glob("fastmlp_train_train_float32.*.o"))) > 0
        assert int(found[3]) >= 20


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ([], "the following arguments are required: COMMAND"),
        (["cool"], "invalid choice: 'cool'"),
        (["warmup", "--activation", "relo"], "activation must be one of"),
        (["warmup", "--dropout", "0.1,0.2,0.3"], "dropout must be one number"),
        (["warmup", "--dtype", "float16"], "invalid choice: 'float16'"),
        (["warmup", "--features", "x"], "invalid int value: 'x'"),
        (
            ["warmup", "--hidden", "4", "--features", "0"],
            "n_features must be an integer >= 1; got 0",
        ),
        (
            ["warmup", "--hidden", "4", "5"],
            "arguments: 5; several values are separated by",
        ),
        (
            ["warmup", "--hidden", "4,five"],
            "hidden[1] must be an integer >= 1 and < 2**31; got 'five'",
        ),
    ],
)
def test_errors_are_one_line(
    arguments: list[str], match: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as end:
        main(arguments)
    assert end.value.code == 2
    out, error = capsys.readouterr()
    assert out == ""
    assert re.fullmatch(f"fastmlp.*: error: .*{re.escape(match)}.*\n", error)


def test_where_nothing_is_kept(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fastmlp.cli.warmup, "kept_objects", list)
    with pytest.raises(SystemExit) as end:
        main(["warmup", "--hidden", "5"])
    assert end.value.code == 2
    assert "cannot be kept on disk: NUMBA_CACHE_DIR may name a folder" in capsys.readouterr().err


def test_the_help_has_examples_that_run(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(["warmup", "--help"])
    assert end.value.code == 0
    *_, last = re.findall(r"  fastmlp (warmup .*)", capsys.readouterr().out)
    main(last.split())
    assert re.fullmatch(LINE, capsys.readouterr().out)


@pytest.mark.full
@pytest.mark.parametrize(
    ("options", "settings"),
    [
        (["--dtype", "float32"], "hidden=(40, 70, 9), activation='mish', optimizer='lion'"),
        (["--hidden", "40", "--features", "20", "--classes", "3"], "hidden=40"),
    ],
    ids=["all", "settings"],
)
def test_nothing_is_left_to_compile(options: list[str], settings: str, tmp_path: Path) -> None:
    """By a second warmup, and for any data."""
    counts = []
    for _ in range(2):
        code = f"from fastmlp.cli import main; main({['warmup', *options]!r})"
        found = re.fullmatch(LINE, run(code, timeout=300, NUMBA_CACHE_DIR=str(tmp_path)))
        assert found is not None
        assert found[4].startswith(str(tmp_path))
        counts.append(int(found[1]))
    assert counts[0] > 30
    assert counts[1] == 0
    kept = " ".join(file.name for file in tmp_path.rglob("*.o"))
    for kernel in ("readers_copy_uint8", "zeros_scan", "bins_forward"):
        assert kernel in kept
    assert (
        kernels_of(
            f"trainer = Trainer({settings}, loss='softmax_cross_entropy', epochs=1)" + ANY_DATA,
            tmp_path,
        )
        == []
    )


@pytest.mark.full
@pytest.mark.parametrize(
    "command", [[sys.executable, "-m", "fastmlp"], [str(Path(sys.executable).with_name("fastmlp"))]]
)
def test_as_a_command(command: list[str]) -> None:
    command = [*command, "warmup", "--hidden", "4"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stderr) == (0, "")
    assert re.fullmatch(LINE, done.stdout)
