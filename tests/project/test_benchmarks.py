"""The benchmarks of asv run, each in a small form; the scripts beside them say what they do."""

import argparse
import inspect
import os
import pkgutil
import re
import subprocess
import sys
from dataclasses import replace
from importlib import import_module
from itertools import product
from unittest import mock

import numpy as np
import pytest

import asv_benchmarks
from asv_benchmarks import bins, combinations, epochs, limits, sparse
from tests.helpers.processes import ROOT

MODULES = [
    import_module(module.name)
    for module in pkgutil.walk_packages(asv_benchmarks.__path__, "asv_benchmarks.")
]
TIMED = ("time_", "track_", "peakmem_", "timeraw_")
BENCHMARKS = [
    kind
    for module in MODULES
    for kind in vars(module).values()
    if inspect.isclass(kind)
    and kind.__module__ == module.__name__
    and any(name.startswith(TIMED) for name in dir(kind))
]
SCRIPTS = [
    module for module in MODULES if '\nif __name__ == "__main__":' in inspect.getsource(module)
]

# In place of what makes benchmarks long.
SMALL = {
    "asv_benchmarks.epochs.CASES": {
        name: replace(case, n_rows=2 * max(32, case.sizes[-1]))
        for name, case in epochs.CASES.items()
    },
    "asv_benchmarks.limits.JOBS": {
        name: replace(job, n_rows=640) for name, job in limits.JOBS.items()
    },
    "asv_benchmarks.limits.SEEDS": limits.SEEDS[:1],
    "fastmlp.kernels.runs.fma_limit._STEPS": 1_000,
    "asv_benchmarks.bins.SHAPES": {name: (1_000, 9) for name in bins.SHAPES},
    "asv_benchmarks.memory.N_ROWS": 512,
    "asv_benchmarks.prediction.N_ROWS": 1_000,
    "asv_benchmarks.short_fits.EPOCHS": 3,
    "asv_benchmarks.prediction.SINGLE_ROWS": 10,
    "asv_benchmarks.sparse.ROWS": 640,
    "asv_benchmarks.sparse.FEATURES": 400,
}
READERS_OF_MNIST = ("asv_benchmarks.epochs", "asv_benchmarks.limits", "asv_benchmarks.race.jobs")
# The kernels of each of its cases take a second to compile, and other tests run them.
FIRST_CASE_ALONE = {combinations.Epoch}


@pytest.fixture
def small(monkeypatch, tmp_path):
    """Sizes as in SMALL, and 1,000 images in place of MNIST, which takes 0.4 s to read."""
    for name, value in SMALL.items():
        monkeypatch.setattr(name, value)
    images, labels = np.full((1_000, 28, 28), 99, np.uint8), np.arange(1_000) % 10
    parts = {f"{part}_images": images for part in ("train", "test")}
    parts |= {f"{part}_labels": labels for part in ("train", "test")}
    np.savez(tmp_path / "mnist.npz", **parts)
    for module in READERS_OF_MNIST:
        monkeypatch.setattr(f"{module}.MNIST", tmp_path / "mnist.npz")


def cases(benchmark):
    """Arguments of the methods; asv lets a single parameter be a plain list."""
    params = getattr(benchmark, "params", ())
    columns = params if all(isinstance(values, list | tuple) for values in params) else (params,)
    found = list(product(*columns))
    return found[:1] if benchmark in FIRST_CASE_ALONE else found


def call(benchmark, name, case):
    """What asv does with a method, except that the code of ``timeraw_`` runs in this process."""
    result = getattr(benchmark, name)(*case)
    if name.startswith("track_"):
        assert isinstance(result, float)
    elif name.startswith("timeraw_"):
        code, setup = (result, "") if isinstance(result, str) else result
        with mock.patch.dict(os.environ):
            exec(f"{setup}\n{code}", {})


def test_asv_finds_them_where_only_the_core_is_installed():
    core = {"fastmlp", "asv_benchmarks", "numpy", "numba", "llvmlite"}
    code = f"""
import sys
from importlib import import_module
from importlib.machinery import PathFinder
find = PathFinder.find_spec
def found(name, path=None, target=None):
    spec = find(name, path, target)
    if path is None and spec and "site-packages" in (spec.origin or "") and name not in {core}:
        raise ModuleNotFoundError(name)
    return spec
PathFinder.find_spec = found
for name in {[module.__name__ for module in MODULES]}:
    import_module(name)
try:
    import pandas
except ModuleNotFoundError:
    print("found")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.stdout == "found\n", done.stderr


@pytest.mark.parametrize(
    "benchmark", BENCHMARKS, ids=lambda kind: f"{kind.__module__.partition('.')[2]}.{kind.__name__}"
)
@pytest.mark.usefixtures("small")
def test_each_benchmark_runs(benchmark):
    made = benchmark()
    getattr(made, "setup_cache", lambda: None)()
    for case in cases(benchmark):
        getattr(made, "setup", lambda *_: None)(*case)
        for name in filter(lambda name: name.startswith(TIMED), dir(made)):
            call(made, name, case)
        getattr(made, "teardown", lambda *_: None)(*case)


@pytest.mark.parametrize("case", combinations.CASES)
def test_each_combination_is_known(case):
    combinations.trainer_of(case)


def run_script(module, monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", [str(module.__file__), *arguments])
    module.main()


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda module: module.__name__)
class TestScripts:
    def test_help_is_all_that_it_prints(self, script, monkeypatch, capsys):
        with pytest.raises(SystemExit) as ended:
            run_script(script, monkeypatch, "--help")
        assert ended.value.code == 0
        name = script.__name__.removesuffix(".__main__")
        shown = capsys.readouterr().out
        assert shown.startswith(f"usage: python -m {name} ")
        assert inspect.getdoc(script).splitlines()[0] in shown

    def test_an_argument_that_it_does_not_know_is_an_error(self, script, monkeypatch, capsys):
        with pytest.raises(SystemExit) as ended:
            run_script(script, monkeypatch, "--no-such-option")
        assert ended.value.code == 2
        assert ": error: " in capsys.readouterr().err


@pytest.mark.usefixtures("small")
def test_the_tables_of_sparse_rows(monkeypatch, capsys):
    monkeypatch.setattr(sparse, "DENSITIES", (0.01, 0.1))
    monkeypatch.setattr(sparse, "COUNTS", (100, 1_000))
    monkeypatch.setattr(sparse, "VALUES", 2_000)
    options = "--tables epochs,cost --rounds 1 --rows 640 --dtypes float32"
    run_script(sparse, monkeypatch, *options.split())
    epochs, cost = ([], [])
    for line in capsys.readouterr().out.splitlines():
        rule, *cells = line.split()
        if rule in sparse.RULES:
            (epochs if cells[0] == "float32" else cost).append(line)
            assert all(float(cell.rstrip("%")) > 0 for cell in cells if cell != "float32")
    assert (len(epochs), len(cost)) == (4, 8)


@pytest.mark.parametrize(
    "arguments",
    [
        "race --jobs dense,nonsense",
        "race --rounds 0",
        "race --plot no/such/folder.png",
        "defaults --sets nonsense",
        "combinations --rows many",
        "sparse --tables nonsense",
        "compare nonsense",
        "compare . --threads 1,0",
        "same_weights nonsense",
        "same_weights . --only nonsense",
    ],
)
def test_a_value_that_makes_no_sense_is_an_error(arguments, monkeypatch, capsys):
    name, *rest = arguments.split()
    [script] = [s for s in SCRIPTS if s.__name__.removesuffix(".__main__").endswith(f".{name}")]
    with pytest.raises(SystemExit) as ended:
        run_script(script, monkeypatch, *rest)
    assert ended.value.code == 2
    assert "error: argument " in capsys.readouterr().err


def commands():
    """Scripts with their arguments as the docs print them."""
    for file in (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")):
        text = file.read_text(encoding="utf-8").replace("\\\n", "")  # lines that go on
        for name, arguments in re.findall(r"python -m (asv_benchmarks[.\w]*)([^`#\n]*)", text):
            words = arguments.split()
            yield pytest.param(name, words, id=f"{file.name}: {name} {' '.join(words)}")


def no_git(command, **_):
    """A shallow clone lacks the commits that the docs name."""
    return subprocess.CompletedProcess(command, 0)


@pytest.mark.parametrize(("name", "arguments"), list(commands()))
def test_a_command_that_the_docs_print_is_accepted(name, arguments, monkeypatch):
    parse = argparse.ArgumentParser.parse_args

    def stop(*args):
        parse(*args)
        sys.exit("accepted")

    monkeypatch.setattr(argparse.ArgumentParser, "parse_args", stop)
    monkeypatch.setattr("asv_benchmarks.compare.subprocess.run", no_git)
    [script] = [s for s in SCRIPTS if s.__name__ in (name, f"{name}.__main__")]
    with pytest.raises(SystemExit, match="accepted"):
        run_script(script, monkeypatch, *arguments)
