"""Kernels compiled by one process serve the next one, and nothing else is ever served."""

import compileall
import errno
import gc
import hashlib
import os
import shutil
import subprocess
import sys
import warnings
import zipfile
from pathlib import Path
from typing import Any

import llvmlite
import numba
import pytest

import fastmlp
from fastmlp import kernels
from fastmlp.kernels.language import backend, object_cache
from fastmlp.kernels.language.jit import Kernel
from tests.helpers.basics import needs_compiler

pytestmark = needs_compiler

PACKAGE = Path(fastmlp.__file__).parent

# Zeros enough to be skipped, so that every kernel is at work.
TRAINING = """
import hashlib, sys
import numpy as np
import fastmlp

rng = np.random.default_rng(0)
X = rng.normal(size=(300, 50)) * (rng.uniform(size=(300, 50)) < 0.1)
Y = rng.integers(3, size=300)

def fit():
    trainer = fastmlp.Trainer((70, 9), dtype=sys.argv[1], epochs=2, seed=0).fit(X, Y)
    arrays = [*trainer.get_weights(), trainer.predict_proba(X)]
    return hashlib.sha256(b"".join(array.tobytes() for array in arrays)).hexdigest()
"""
FIT = TRAINING + "print(fit())"

# A few kernels, quickly compiled: those of a prediction without hidden layers.
PREDICT = """
import numpy as np
import fastmlp

def predict():
    trainer = fastmlp.Trainer(hidden=())
    trainer.set_weights([np.eye(3, 2), np.zeros(2)])
    return trainer.predict_proba(np.eye(6, 3)).tolist()

print(predict())
"""

# Before a script: what is not served is an error.
SERVED = """
from fastmlp.kernels.language.jit import Kernel
def no_compilation(*arguments):
    raise SystemExit("compiled again")
Kernel._compiled = no_compilation
"""


def process(
    code: str, *arguments: str, package: Path = PACKAGE.parent, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run a program in a process of its own that imports fastmlp from ``package``."""
    path = [str(package), os.environ.get("PYTHONPATH")]
    return subprocess.run(
        [sys.executable, "-P" if sys.version_info >= (3, 11) else "-B", "-c", code, *arguments],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, path)), **environment},
        cwd=package if package.is_dir() else package.parent,
        capture_output=True,
        text=True,
        timeout=300,
    )


def run(code: str, *arguments: str, **options: Any) -> str:
    """What such a process prints; it must not fail."""
    done = process(code, *arguments, **options)
    assert done.returncode == 0, done.stderr
    return done.stdout


def files(folder: Path) -> dict[Path, int]:
    """Files with the times of their last change."""
    return {file: file.stat().st_mtime_ns for file in folder.rglob("*") if file.is_file()}


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A folder with the kernels of the prediction, and what it prints."""
    folder = tmp_path_factory.mktemp("filled")
    printed = run(PREDICT, NUMBA_CACHE_DIR=str(folder))
    assert files(folder)
    return folder, printed


@pytest.fixture
def cache(filled: tuple[Path, str], tmp_path: Path) -> Path:
    """A copy of that folder, to be maltreated."""
    return Path(shutil.copytree(filled[0], tmp_path / "cache"))


# ------------------------------------------------------------------------------------------ serving


@pytest.mark.full
def test_the_next_process_compiles_nothing(tmp_path: Path) -> None:
    folder = {"NUMBA_CACHE_DIR": str(tmp_path)}
    first = run(FIT, "float64", **folder)
    compiled = files(tmp_path)
    assert compiled
    assert run(SERVED + FIT, "float64", **folder) == first
    assert files(tmp_path) == compiled
    # So do those of the other dtype.
    assert run(PREDICT, **folder) == run(SERVED + PREDICT, **folder)
    assert compiled.items() < files(tmp_path).items()


def test_damaged_files_do_no_harm_and_are_replaced(filled: tuple[Path, str], cache: Path) -> None:
    def flipped(content: bytes) -> bytes:
        middle = len(content) // 2
        return content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]

    damages = [
        lambda content: content[: len(content) // 2],
        lambda content: bytes(len(content)),
        lambda content: b"",
        flipped,
    ]
    names = list(files(cache))
    assert len(names) >= len(damages)
    for number, file in enumerate(names):
        file.write_bytes(damages[number % len(damages)](file.read_bytes()))
    assert run(PREDICT, NUMBA_CACHE_DIR=str(cache)) == filled[1]
    assert list(files(cache)) == names
    assert run(SERVED + PREDICT, NUMBA_CACHE_DIR=str(cache)) == filled[1]


@pytest.mark.costly
@pytest.mark.repeated
@pytest.mark.parametrize(("processes", "turns"), [(2, 1), (8, 1)])
def test_many_processes_at_once(
    processes: int, turns: int, times: int, filled: tuple[Path, str], tmp_path: Path
) -> None:
    for turn in range(turns * times):
        environment = {
            **os.environ,
            "NUMBA_CACHE_DIR": str(tmp_path / str(turn)),
            "PYTHONPATH": str(PACKAGE.parent),
        }
        at_once = [
            subprocess.Popen(
                [sys.executable, "-c", PREDICT], env=environment, text=True,
                stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            )
            for _ in range(processes)
        ]  # fmt: skip
        for one in at_once:
            printed, errors = one.communicate(timeout=300)
            assert one.returncode == 0, errors
            assert printed == filled[1]
        kept = [file.name for file in files(tmp_path / str(turn))]
        assert sorted(kept) == sorted(file.name for file in files(filled[0]))


# ---------------------------------------------------------------------------- where nothing is kept

# Before the prediction: folders that fail, in ways that hold for root too.
FAILING = {
    "no folder": """
from numba.core import caching
def refuse(locator):
    raise PermissionError("no folder can be written")
caching._CacheLocator.ensure_cache_path = refuse
""",
    "read-only": """
import errno, tempfile
def refuse(**options):
    raise OSError(errno.EROFS, "Read-only file system")
tempfile.mkstemp = refuse
""",
    "full": """
import resource
resource.setrlimit(resource.RLIMIT_FSIZE, (256, 256))
""",
}

COUNT = """
from collections import Counter
from fastmlp.kernels.language.jit import Kernel
compiled, compile_kernel = Counter(), Kernel._compiled

def count(kernel, dtype):
    compiled[kernel.symbol(dtype)] += 1
    return compile_kernel(kernel, dtype)

Kernel._compiled = count
"""


@pytest.mark.costly
@pytest.mark.parametrize("failure", FAILING)
def test_where_nothing_can_be_kept(failure: str, filled: tuple[Path, str], tmp_path: Path) -> None:
    """Each kernel is compiled once, and one warning says why the next process will do it again."""
    if failure == "full":
        pytest.importorskip("resource")
    script = FAILING[failure] + COUNT + PREDICT + "predict()\nassert {*compiled.values()} == {1}"
    done = process(script, NUMBA_CACHE_DIR=str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert done.stdout == filled[1]
    assert done.stderr.count("RuntimeWarning: compiled kernels cannot be kept on disk") == 1
    assert not files(tmp_path)


@pytest.mark.costly
@pytest.mark.parametrize("failure", FAILING)
def test_a_full_cache_that_cannot_be_written_to(failure: str, filled: tuple[Path, str]) -> None:
    """It serves, as in the image of a container that has been warmed up."""
    done = process(FAILING[failure] + SERVED + PREDICT, NUMBA_CACHE_DIR=str(filled[0]))
    assert (done.stdout, done.stderr) == (filled[1], "")


@pytest.mark.costly
@pytest.mark.parametrize("home", [None, os.devnull])
def test_a_read_only_package_and_no_home(
    home: str | None, filled: tuple[Path, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A package that nobody can write into, and no folder of the user: HOME is unset, or a file."""
    pack(archive := tmp_path / "fastmlp.zip")
    monkeypatch.delenv("HOME", raising=False)
    environment = {"NUMBA_CACHE_DIR": "", "XDG_CACHE_HOME": f"{os.devnull}/cache"}
    done = process(PREDICT, package=archive, **environment, **({"HOME": home} if home else {}))
    assert done.returncode == 0, done.stderr
    assert done.stdout == filled[1]
    assert done.stderr.count("RuntimeWarning: compiled kernels cannot be kept on disk") == 1


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "No space left on device"), MemoryError()])
def test_a_file_is_whole_or_not_there(
    error: BaseException, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*arguments: Any) -> None:
        raise error

    object_cache._warn_once.cache_clear()
    monkeypatch.setattr(object_cache, "_folder", lambda: tmp_path)
    monkeypatch.setattr(os, "replace", fail)
    code = backend.ObjectCode("name", ("another", "sched_yield"), b"code")
    if isinstance(error, OSError):
        with pytest.warns(RuntimeWarning, match="cannot be kept on disk"):
            object_cache.save_object("kernel", code)
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # it is told once
            object_cache.save_object("kernel", code)
    else:
        with pytest.raises(MemoryError):
            object_cache.save_object("kernel", code)
    assert not files(tmp_path)
    monkeypatch.undo()
    monkeypatch.setattr(object_cache, "_folder", lambda: tmp_path)
    object_cache.save_object("kernel", code)
    assert object_cache.load_object("kernel") == code


INTERRUPTED = """
import signal, time

class TimeLimit(Exception):
    pass

def raise_it(*arguments):
    raise kind("from the handler")

signal.signal(signal.SIGALRM, raise_it)
raised = []
for moment in range(1, 11):
    kind = TimeLimit if moment % 2 else MemoryError
    signal.setitimer(signal.ITIMER_REAL, 0.02 * moment)
    try:
        fit()
    except (TimeLimit, MemoryError) as error:
        raised.append(type(error) is kind and str(error) == "from the handler")
assert raised == [True] * 10, raised
print(fit())
"""


@pytest.mark.threading
@pytest.mark.skipif(os.name != "posix", reason="needs interval timers")
def test_exceptions_of_others_in_mid_compilation(tmp_path: Path) -> None:
    """They come out of the fit, and the next one compiles what is left, each kernel once."""
    folder = {"NUMBA_CACHE_DIR": str(tmp_path)}
    counted = COUNT + TRAINING + INTERRUPTED + "assert {*compiled.values()} == {1}, compiled"
    done = process(counted, "float32", **folder)
    assert done.returncode == 0, done.stderr
    assert run(SERVED + FIT, "float32", **folder) == done.stdout


def test_an_error_of_the_compiler_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """It comes out where the kernel is asked for, and the next time the kernel is compiled."""

    def fail(*arguments: Any, **options: Any) -> None:
        raise MemoryError("from the compiler")

    kernel = Kernel(lambda run: None, is_parallel=False)
    monkeypatch.setattr(numba, "njit", fail)
    with pytest.raises(MemoryError, match="from the compiler"):
        kernel._compiled(None)
    monkeypatch.undo()
    assert kernel._compiled(None).code


def test_without_the_compiler_an_error_says_so(tmp_path: Path) -> None:
    done = process(
        "import fastmlp; fastmlp.Trainer().fit([[0], [1]], [0, 1])",
        NUMBA_DISABLE_JIT="1",
        NUMBA_CACHE_DIR=str(tmp_path),
    )
    assert "RuntimeError: fastmlp has compiled kernels only: unset NUMBA_DISABLE_JIT" in done.stderr


# ------------------------------------------------------------------------------- names of the files


def name() -> str:
    """The part of the files' names that says what the code depends on, found afresh."""
    return object_cache._state.__wrapped__()


def test_the_source_of_every_kernel_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    root = Path(kernels.__file__).parent
    paths = [file.relative_to(root.parent).with_suffix("") for file in root.rglob("*.py")]
    modules = [".".join(("fastmlp", *path.parts)).removesuffix(".__init__") for path in paths]
    digest, names = object_cache._module_digest, {name()}
    for module in modules:
        changed = lambda asked, module=module: digest(asked) + b"changed" * (asked == module)  # noqa: E731
        monkeypatch.setattr(object_cache, "_module_digest", changed)
        names.add(name())
    assert len(names) == len(modules) + 1
    digests = {digest(module) for module in modules}
    assert len(digests) == len(modules)
    assert hashlib.sha256(b"").digest() not in digests


def test_sources_count_that_no_process_has_imported_yet() -> None:
    found = "from fastmlp.kernels.language import object_cache; print(object_cache._state())"
    assert run(found).strip() == name()


@pytest.mark.parametrize(
    ("owner", "attribute"),
    [
        (numba, "__version__"),
        (llvmlite, "__version__"),
        *((object_cache, attribute) for attribute in ("TRIPLE", "CPU", "FEATURES")),
        *((numba.config, attribute) for attribute in backend.SETTINGS),
    ],
)
def test_what_the_code_depends_on_counts(
    owner: Any, attribute: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = name()
    monkeypatch.setattr(owner, attribute, "another", raising=False)
    assert name() != before


def test_an_empty_module_has_no_digest(monkeypatch: pytest.MonkeyPatch) -> None:
    """No digest is that of nothing, which would be the same in every version."""

    class Loader:
        get_data = staticmethod(lambda path: b"")

    class Spec:
        loader, origin = Loader, "a_module.py"

    monkeypatch.setattr(object_cache, "find_spec", lambda name: Spec)
    with pytest.raises(ImportError, match="no source of a_module"):
        object_cache._module_digest("a_module")


@pytest.mark.full
def test_code_of_another_optimisation_is_not_served(cache: Path) -> None:
    others = files(cache)
    run(PREDICT, NUMBA_CACHE_DIR=str(cache), NUMBA_OPT="0")
    assert others.items() < files(cache).items()
    assert len(files(cache)) == 2 * len(others)


def pack(target: Path, old: str = "", new: str = "") -> None:
    """The package as a zip file, ``old`` replaced in all sources."""
    with zipfile.ZipFile(target, "w") as archive:
        for file in PACKAGE.rglob("*.py"):
            source = file.read_text(encoding="utf-8").replace(old, new)
            archive.writestr(str(file.relative_to(PACKAGE.parent)), source)


@pytest.mark.full
def test_a_package_in_a_zip(filled: tuple[Path, str], tmp_path: Path) -> None:
    archive, homes = tmp_path / "fastmlp.zip", tmp_path / "home"
    # Numba keeps the code of such packages in the user's own folder.
    options: dict[str, Any] = {
        "package": archive, "XDG_CACHE_HOME": str(homes), "HOME": str(homes), "NUMBA_CACHE_DIR": "",
    }  # fmt: skip
    pack(archive)
    assert run(PREDICT, **options) == filled[1]
    compiled = files(homes)
    assert compiled
    assert run(SERVED + PREDICT, **options) == filled[1]
    kept = "= memory[logits + k * stride + s]"
    pack(archive, kept, kept.replace("memory", "2 * memory"))
    doubled = [[2 * p for p in row] for row in eval(filled[1])]
    assert eval(run(PREDICT, **options)) == doubled
    assert compiled.items() < files(homes).items()
    assert len(files(homes)) == 2 * len(compiled)


@pytest.mark.full
def test_a_package_of_byte_code_alone(filled: tuple[Path, str], tmp_path: Path) -> None:
    copy = shutil.copytree(PACKAGE, tmp_path / "fastmlp", ignore=lambda *_: ["__pycache__"])
    assert compileall.compile_dir(copy, quiet=1, legacy=True)
    for file in copy.rglob("*.py"):
        file.unlink()
    # Numba keeps nothing without a source file: compiled in memory, and told.
    done = process(PREDICT, package=tmp_path, NUMBA_CACHE_DIR=str(tmp_path / "cache"))
    assert done.stdout == filled[1]
    assert "cannot be kept on disk" in done.stderr


def test_no_two_kernels_share_the_name_of_their_code() -> None:
    """All lie in one process by these names, wherever each was compiled."""
    every = [thing for thing in gc.get_objects() if type(thing) is Kernel]
    names = [
        (kernel.function.__module__, kernel.function.__qualname__)
        for kernel in every
        if kernel.function.__module__.startswith("fastmlp.")
        and kernel.function.__module__ in sys.modules  # else one of a test
    ]
    assert len(names) > 50
    assert len(set(names)) == len(names)
