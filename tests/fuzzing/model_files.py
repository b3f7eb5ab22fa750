"""Good model files, changed at random, and what loading a changed one must do."""

import json
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.random import Generator

import fastmlp
from fastmlp import Ensemble, MLPClassifier, Trainer
from fastmlp.files import ModelFileError
from tests.fuzzing.wrong import damaged
from tests.helpers.models import X, Y, fitted

_LENGTH_BYTES = 8


def good_files() -> list[bytes]:
    """Files of trainers with much and with little in them, of an ensemble and an estimator."""
    warnings.simplefilter("ignore")
    early = fitted(early_stopping=True, validation_fraction=0.2, epochs=9, optimizer="amsgrad")
    names = np.array(["cat", "dog", "emu"], object)[Y]
    models: list[Any] = [
        Trainer(), early, fitted(hidden=(), scaling="piecewise", weight_averaging=0.9),
        Trainer(3, epochs=2, loss="squared_error", scaling="quantile", seed=0).fit(X, X[:, 0]),
        Trainer(3, epochs=2, missing="impute", seed=0).fit(np.where(X > 3, np.nan, X), names),
        Ensemble(Trainer(2, epochs=1, seed=0), k=2).fit(X, Y),
        MLPClassifier(3, max_iter=2, random_state=0).fit(X, Y),
    ]  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.safetensors"
        contents = []
        for model in filter(lambda model: hasattr(model, "save"), models):
            model.save(path)
            contents.append(path.read_bytes())
    return contents


def changed_file(rng: Generator, content: bytes) -> bytes:
    """The content with a change to its values, its header, its numbers, or any of its bytes."""
    ways: list[Callable[[Generator, bytes], bytes]] = [
        _values_changed, _values_changed, _header_changed, _numbers_changed, _bytes_changed,
    ]  # fmt: skip
    try:
        return ways[rng.integers(len(ways))](rng, content)
    except Exception:  # it was changed before
        return _bytes_changed(rng, content)


def _parts(content: bytes) -> tuple[dict[str, Any], bytes]:
    end = _LENGTH_BYTES + int.from_bytes(content[:_LENGTH_BYTES], "little")
    return json.loads(content[_LENGTH_BYTES:end]), content[end:]


def _joined(header: Any, numbers: bytes) -> bytes:
    text = json.dumps(header, default=repr).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(_LENGTH_BYTES, "little") + text + numbers


def _values_changed(rng: Generator, content: bytes) -> bytes:
    header, numbers = _parts(content)
    document = json.loads(header["__metadata__"]["fastmlp"])
    for _ in range(rng.integers(1, 3)):
        document = damaged(rng, document)
    header["__metadata__"]["fastmlp"] = json.dumps(document, default=repr)
    return _joined(header, numbers)


def _header_changed(rng: Generator, content: bytes) -> bytes:
    header, numbers = _parts(content)
    if rng.uniform() < 0.3:
        return _joined(damaged(rng, header), numbers)
    names = [name for name in header if name != "__metadata__"]
    name = names[rng.integers(len(names))]
    header[name] = damaged(rng, header[name])
    return _joined(header, numbers)


def _numbers_changed(rng: Generator, content: bytes) -> bytes:
    header, numbers = _parts(content)
    values = bytearray(numbers)
    for _ in range(rng.integers(1, 5)):
        start = 4 * rng.integers(len(values) // 4)
        value = [np.nan, np.inf, -1.0, 1e30, 0.0, 3.0][rng.integers(6)]
        values[start : start + 4] = np.float32(value).tobytes()
    return _joined(header, bytes(values))


def _bytes_changed(rng: Generator, content: bytes) -> bytes:
    start, end = sorted(rng.integers(len(content) + 1, size=2))
    ways = [
        content[:start],
        content[start:],
        content[:start] + content[end:],
        content[:end] + content[start:],
        content[:start] + rng.bytes(rng.integers(1, 9)) + content[start:],
        content[:start] + rng.bytes(1) + content[start + 1 :],
        (1 << int(rng.integers(64))).to_bytes(8, "little") + content[8:],
    ]
    return ways[rng.integers(len(ways))]


def try_to_load(path: Path) -> bool:
    """Whether a file is taken for a model, which must then work; else it is a ModelFileError."""
    try:
        model = fastmlp.load(path)
    except ModelFileError as error:
        if str(path) not in str(error):
            raise AssertionError(f"not named: {error!r}") from error
        return False
    uses: list[Callable[[], Any]] = [lambda: model.predict(X)]
    if isinstance(model, Trainer):
        model.epochs = 2  # it may have become a million
        uses += [lambda: model.evaluate(X, Y), lambda: model.fit(X, Y), lambda: model.predict(X)]
    for use in uses:
        # Values may be others than they were: more columns, a rate that is too high.
        try:
            use()
        except (TypeError, ValueError, FloatingPointError) as error:
            if not str(error):
                raise
    return True
