"""A table of houses, and models of it."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from fastmlp.cli import main

Run = Callable[..., tuple[str, str]]
N_ROWS = 300


def write_houses(path: Path) -> None:
    """Sizes with gaps, cities, dates, names and numbers of rows; price and kind follow the size and
    the city."""
    rng = np.random.default_rng(0)
    size, city = rng.uniform(40, 200, N_ROWS), rng.integers(0, 3, N_ROWS)
    price = 2_000.5 * size * (1 + city) + rng.normal(0, 5_000, N_ROWS)
    days = np.datetime64("2020-01-01") + rng.integers(0, 900, N_ROWS)
    lines = ["row,name,sold,city,size,country,kind,price"]
    for k in range(N_ROWS):
        value = "" if k % 10 == 3 else f"{size[k]:.1f}"
        town = ("Ulm", "Köln", "Bad Orb")[city[k]]
        kind = "dear" if price[k] > 400_000 else "cheap"
        lines.append(f"{k},house {k},{days[k]},{town},{value},DE,{kind},{price[k]:.2f}")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


@pytest.fixture(scope="session")
def houses(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file."""
    path = tmp_path_factory.mktemp("houses") / "houses.csv"
    write_houses(path)
    return path


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command in this process; return what it prints to stdout and to stderr."""

    def run(*arguments: object) -> tuple[str, str]:
        main(list(map(str, arguments)))
        return capsys.readouterr()

    return run


@pytest.fixture
def fails(capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Run a command that must end with a code, by default 2; return its line on stderr."""

    def run(*arguments: object, code: int = 2) -> str:
        with pytest.raises(SystemExit) as end:
            main(list(map(str, arguments)))
        assert end.value.code == code
        line = capsys.readouterr().err
        assert line.count("\n") == 1, line
        return line

    return run


@pytest.fixture(scope="session")
def kinds(houses: Path) -> Path:
    """A model of the kinds of houses."""
    path = houses.with_name("kinds.safetensors")
    main(["train", str(houses), "--target", "kind", "--drop", "price", "--out", str(path)])
    return path


@pytest.fixture(scope="session")
def prices(houses: Path) -> Path:
    """A model of their prices."""
    path = houses.with_name("prices.safetensors")
    options = ["--drop", "kind", "--hidden", "16", "--epochs", "30"]
    main(["train", str(houses), "--target", "price", *options, "--out", str(path)])
    return path
