"""Files are replaced as a whole: whatever happens, the old or the new one is there."""

import errno
import os
import pickle
import random
import re
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

import fastmlp
from fastmlp import files
from fastmlp.callbacks import Checkpoint, CSVLog
from fastmlp.files import replace_file
from tests.helpers.basics import needs_compiler
from tests.helpers.models import X, Y, fitted, trainer
from tests.helpers.processes import ROOT
from tests.helpers.same import assert_same

pytestmark = needs_compiler


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """A file with a model."""
    path = tmp_path / "m.safetensors"
    fitted(epochs=1).save(path)
    return path


FAILURES = {
    "the disk is full": ("write", OSError(errno.ENOSPC, "No space left on device")),
    "the disk fails": ("fsync", OSError(errno.EIO, "Input/output error")),
    "it cannot be replaced": ("replace", PermissionError(errno.EPERM, "not permitted")),
    "an interrupt": ("fsync", KeyboardInterrupt()),
    "a time limit": ("replace", TimeoutError("too late")),
}


@pytest.mark.parametrize("failure", FAILURES)
def test_a_failure_keeps_the_old_file(
    failure: str, old: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name, error = FAILURES[failure]
    before = old.read_bytes()

    def fail(*args: Any) -> None:
        raise error

    class Full:
        def __init__(self, path: Any, mode: str) -> None:
            self.file = open(path, mode)  # noqa: SIM115

        def __enter__(self) -> Any:
            self.file.write(b"half")
            return self

        def __exit__(self, *args: Any) -> None:
            self.file.close()

        write = fail

    if name == "write":
        monkeypatch.setattr(files.replace, "open", Full, raising=False)
    else:
        monkeypatch.setattr(os, name, fail)
    with pytest.raises(type(error)):
        fitted().save(old)
    monkeypatch.undo()
    assert old.read_bytes() == before
    assert names(old.parent) == [old.name]


def test_a_full_disk(old: Path) -> None:
    """A real one, of a limited size of files."""
    code = f"""
import resource, signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
from tests.helpers.models import *
model = fitted(400)
resource.setrlimit(resource.RLIMIT_FSIZE, (5_000, 5_000))
try:
    model.save({os.fspath(old)!r})
except OSError as error:
    print("refused", error.errno)
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout == f"refused {errno.EFBIG}\n", done.stderr
    assert fastmlp.load(old).n_iter_ == 1
    assert names(old.parent) == [old.name]


@pytest.mark.skipif(os.name == "posix" and os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_may_not_be_written(old: Path) -> None:
    old.parent.chmod(0o500)
    try:
        with pytest.raises(PermissionError):
            fitted().save(old)
    finally:
        old.parent.chmod(0o700)
    assert fastmlp.load(old).n_iter_ == 1


def test_links_stay_and_missing_folders_are_errors(old: Path, tmp_path: Path) -> None:
    link = tmp_path / "link.safetensors"
    link.symlink_to(old)
    fitted(epochs=2).save(link)
    assert link.is_symlink()
    assert fastmlp.load(old).n_iter_ == fastmlp.load(link).n_iter_ == 2
    missing, no_folder = tmp_path / "no folder" / "m.safetensors", old / "m.safetensors"
    with pytest.raises(FileNotFoundError, match=re.escape(f"directory: '{missing}'")):
        fitted().save(missing)
    with pytest.raises(NotADirectoryError, match=re.escape(f"directory: '{no_folder}'")):
        fitted().save(no_folder)
    # As any new file: not for the owner alone, as temporary files are.
    other = tmp_path / "plain"
    other.touch()
    assert stat.S_IMODE(old.stat().st_mode) == stat.S_IMODE(other.stat().st_mode)


@pytest.mark.parametrize("letters", ["m" * 240, "模" * 80, "𝄞" * 60])
def test_long_names(letters: str, tmp_path: Path) -> None:
    path = tmp_path / f"{letters}.safetensors"
    fitted().save(path)
    assert names(tmp_path) == [path.name]


@pytest.mark.parametrize("mode", [0o600, 0o664, 0o444])
def test_permissions_stay(mode: int, old: Path) -> None:
    old.chmod(mode)
    fitted(epochs=2).save(old)
    assert stat.S_IMODE(old.stat().st_mode) == mode
    assert fastmlp.load(old).n_iter_ == 2


def test_a_folder_that_cannot_be_synced(old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Some file systems refuse; the file itself is on the disk."""
    fsync = os.fsync

    def refuse(descriptor: int) -> None:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "Invalid argument")
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", refuse)
    fitted(epochs=2).save(old)
    assert fastmlp.load(old).n_iter_ == 2


def test_another_folder_in_mid_fit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "other").mkdir()
    callbacks = [lambda *_: os.chdir(tmp_path / "other"), CSVLog("log.csv")]
    trainer(callbacks=[*callbacks, Checkpoint("m.safetensors", best_only=False)]).fit(X, Y)
    assert names(tmp_path) == ["log.csv", "m.safetensors", "other"]
    assert fastmlp.load(tmp_path / "m.safetensors").n_iter_ == 3
    assert names(tmp_path / "other") == []


@pytest.mark.parametrize("name", ["m.safetensors", "m.pickle"])
def test_a_file_is_on_the_disk_before_it_replaces(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """First the file, then its name, then the folder."""
    calls: list[str] = []
    fsync, replace = os.fsync, os.replace

    def synced(descriptor: int) -> None:
        calls.append("folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "file")
        fsync(descriptor)

    def replaced(*args: Any) -> None:
        calls.append("replace")
        replace(*args)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(os, "replace", replaced)
    trainer(callbacks=Checkpoint(tmp_path / name, best_only=False), epochs=2).fit(X, Y)
    assert calls == 2 * ["file", "replace", "folder"]
    assert names(tmp_path) == [name]


# ----------------------------------------------------------------------------------------- kills

SAVING = """
import os, random, signal, sys, time
import numpy as np
import fastmlp
path, times, rng = sys.argv[1], int(sys.argv[2]), random.Random(0)
models = [fastmlp.load(f"{path}.{k}.safetensors") for k in (0, 1)]
models[0].save(path)
done = 0
# A kill in the middle of a file leaves a part of it: go on until there is one.
while done < times or len(os.listdir(os.path.dirname(path))) == 3 and done < 50 * times:
    done += 1
    child = os.fork()
    while child == 0:
        for model in models:
            model.save(path)
    time.sleep(rng.uniform(0, 0.05))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    weights = fastmlp.load(path).get_weights()
    same = [all(map(np.array_equal, weights, model.get_weights())) for model in models]
    print(same.index(True), flush=True)
"""


@pytest.mark.repeated
@pytest.mark.costly
def test_kills_in_mid_save(tmp_path: Path, times: int) -> None:
    path = tmp_path / "m.safetensors"
    for k in (0, 1):
        fitted((400, 300), epochs=1, seed=k).save(f"{path}.{k}.safetensors")
    command = [sys.executable, "-W", "ignore", "-c", SAVING, path, str(20 * times)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    found = done.stdout.split()
    assert len(found) >= 20 * times, done.stderr
    assert set(found) == {"0", "1"}
    assert len(names(tmp_path)) > 3


TRAINING = """
import sys, fastmlp, pathlib
from fastmlp.callbacks import Checkpoint
from tests.helpers.models import X, Y, trainer
path = pathlib.Path(sys.argv[1])
model = fastmlp.load(path) if path.exists() else trainer((40, 30), epochs=400, warm_start=True)
model.callbacks = Checkpoint(path, best_only=False)
print(model.n_iter_, flush=True)
model.epochs = 400 - model.n_iter_
if model.epochs:
    model.fit(X, Y)
print("done", flush=True)
"""


@pytest.mark.repeated
@pytest.mark.full
def test_a_training_that_is_killed_goes_on_bit_for_bit(tmp_path: Path, times: int) -> None:
    """Killed again and again at random moments, and gone on from the last checkpoint."""
    wanted, rng = trainer((40, 30), epochs=400).fit(X, Y), random.Random(0)
    for run in range(times):
        path, starts = tmp_path / f"{run}.safetensors", []
        for _ in range(12):
            command = [sys.executable, "-c", TRAINING, path]
            with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as process:
                assert process.stdout is not None
                starts.append(int(process.stdout.readline()))
                if len(starts) < 5:
                    while not path.exists():  # long on a busy machine
                        assert process.poll() is None
                        time.sleep(0.01)
                    time.sleep(rng.uniform(0.05, 0.4))
                    process.send_signal(signal.SIGKILL)
                elif process.stdout.readline() == b"done\n":
                    break
        assert starts[1] > 0
        model = fastmlp.load(path)
        assert_same(model.get_weights(), wanted.get_weights())
        for name in ("loss", "accuracy"):
            assert model.history[name] == wanted.history[name]


# ------------------------------------------------------------------------------------ checkpoints


def test_checkpoints_are_model_files_by_their_suffix(tmp_path: Path) -> None:
    file, plain = tmp_path / "m.safetensors", tmp_path / "m.pickle"
    callbacks = [Checkpoint(os.fspath(path), best_only=False) for path in (file, plain)]
    model = trainer(callbacks=callbacks, warm_start=True).fit(X, Y)
    one, other = fastmlp.load(file, callbacks=callbacks), pickle.loads(plain.read_bytes())
    assert_same(one, other)
    assert fastmlp.load(file).callbacks == ()
    for each in (one, other, model):
        each.callbacks = ()
        each.fit(X, Y)
    assert_same(one.get_weights(), model.get_weights())
    with pytest.raises(fastmlp.ModelFileError, match="pickle cannot be read: "):
        fastmlp.load(plain)


def test_checkpoints_of_estimators_and_ensembles(tmp_path: Path) -> None:
    estimator = fastmlp.MLPClassifier(
        max_iter=3, tol=10.0, n_iter_no_change=1,
        callbacks=Checkpoint(tmp_path / "e.safetensors", best_only=False),
    ).fit(X, Y)  # fmt: skip
    other = fastmlp.load(tmp_path / "e.safetensors")
    assert_same(other.get_weights(), estimator.trainer_.get_weights())
    checkpoint = Checkpoint(tmp_path / "{member}.safetensors", best_only=False)
    ensemble = fastmlp.Ensemble(trainer(callbacks=checkpoint), k=2).fit(X, Y)
    for number, member in enumerate(ensemble.members):
        other = fastmlp.load(tmp_path / f"{number}.safetensors")
        assert_same(other.get_weights(), member.get_weights())


def test_what_cannot_be_saved_is_an_error_before_the_first_epoch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkpoint = Checkpoint(tmp_path / "m.safetensors")
    model = fitted()
    before = model.get_weights()
    model.callbacks, model.schedule = checkpoint, lambda update: 0.1
    model.learning_rate = None
    with pytest.raises(TypeError, match="schedule cannot be written to a model file"):
        model.fit(X, Y)
    model.schedule = None
    monkeypatch.setitem(sys.modules, "safetensors.numpy", None)
    wanted = r"pip install 'fastmlp\[safetensors\]'"
    for call in (
        lambda: model.fit(X, Y), lambda: model.save(tmp_path / "m.safetensors"),
    ):  # fmt: skip
        with pytest.raises(ImportError, match=wanted):
            call()
    monkeypatch.undo()
    fitted().save(tmp_path / "m.safetensors")
    monkeypatch.setitem(sys.modules, "safetensors.numpy", None)
    with pytest.raises(ImportError, match=wanted):
        fastmlp.load(tmp_path / "m.safetensors")
    assert_same(model.get_weights(), before)
    replace_file(tmp_path / "pickle", pickle.dumps(model))  # needs no package
    assert_same(pickle.loads((tmp_path / "pickle").read_bytes()).get_weights(), before)
