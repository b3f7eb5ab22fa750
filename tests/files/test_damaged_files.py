"""Files that are damaged or hostile: one documented error, and no more memory than it says."""

import json
import random
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fastmlp
from fastmlp import EarlyStopping, Ensemble, MLPClassifier, ModelFileError
from fastmlp.files import errors
from tests.helpers.basics import needs_compiler
from tests.helpers.model_files import JUNK, Parts, at, joined, mutated, parts_of, places
from tests.helpers.models import X, Y, trainer
from tests.helpers.processes import ROOT

pytestmark = [needs_compiler, pytest.mark.filterwarnings("ignore::UserWarning")]


def table() -> Any:
    pd = pytest.importorskip("pandas")
    columns = {"a": np.where(Y == 1, np.nan, X[:, 0]), "b": X[:, 1]}
    return pd.DataFrame({**columns, "c": pd.Categorical(np.array(list("xyz"))[Y])})


def made(kind: str, folder: Path) -> bytes:
    """A file with a model of a kind, fitted with many settings."""
    model: Any
    if kind == "table":
        stopping = EarlyStopping(patience=2)
        options = {
            "missing": "impute",
            "scaling": "robust",
            "early_stopping": stopping,
            "epochs": 12,
        }
        model = trainer(4, **options, validation_fraction=0.2, class_weight={"p": 2.0, "q": 1.0})
        model.fit(table(), np.where(Y == 1, "p", "q"))
    elif kind == "numbers":
        model = trainer(4, scaling="piecewise", loss="huber", weight_averaging=0.5, epochs=12)
        model.fit(X, X[:, 0])
    elif kind == "linear":
        model = trainer((), scaling="quantile", loss="quantile", optimizer="lion").fit(X, X[:, 0])
    elif kind == "ensemble":
        model = Ensemble(trainer(3), k=2).fit(X, Y)
    else:
        model = MLPClassifier(4, max_iter=9, random_state=np.random.RandomState(0)).fit(X, Y)
    model.save(folder / "model.safetensors")
    return (folder / "model.safetensors").read_bytes()


KINDS = "table", "numbers", "linear", "ensemble", "classifier"


@pytest.fixture(scope="module")
def contents(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("files")
    return {kind: made(kind, folder) for kind in KINDS}


def loads(content: bytes, path: Path) -> Any:
    """The model of a file, or None, if it is refused as it should be: with its name."""
    path.write_bytes(content)
    try:
        return fastmlp.load(path)
    except ModelFileError as error:
        message = str(error)
    assert message.startswith(f"{path} cannot be read: ")
    assert len(message) < 1_000
    return None


def use(model: Any) -> None:
    """A model that is read from a damaged file must work, as far as its numbers are finite."""
    repr(model)
    if not model.__sklearn_is_fitted__():
        return
    rows = table() if model.n_features_in_ == 3 else np.ones((2, model.n_features_in_))
    # The names or categories of columns may be other ones.
    with suppress(FloatingPointError, ValueError, TypeError):
        model.predict(rows)


@pytest.mark.parametrize("kind", KINDS)
def test_the_files_are_read_as_they_are(kind: str, contents: Any, tmp_path: Path) -> None:
    model = loads(contents[kind], tmp_path / "m")
    use(model)
    assert parts_of(contents[kind]).content() != contents[kind]  # other spaces, the same values
    assert loads(parts_of(contents[kind]).content(), tmp_path / "m") is not None


def test_every_truncation_is_refused(contents: Any, tmp_path: Path) -> None:
    content = contents["linear"]
    step = max(1, len(content) // 1_500)
    for end in (*range(0, len(content), step), len(content) - 1):
        assert loads(content[:end], tmp_path / "m") is None
    for more in (b"\0", b"abc", content):
        assert loads(content + more, tmp_path / "m") is None


@pytest.mark.parametrize("bits", [pytest.param(0xFF, marks=pytest.mark.full), 0x01, 0x20, 0x80])
def test_no_byte_of_the_header_matters_unnoticed(bits: int, contents: Any, tmp_path: Path) -> None:
    """Each is flipped in turn: the file is refused, or the model works."""
    content = contents["linear"]
    end = 8 + int.from_bytes(content[:8], "little")
    for i in range(end):
        changed = bytearray(content)
        changed[i] ^= bits
        model = loads(bytes(changed), tmp_path / "m")
        assert model is None or i >= 8
        if model is not None:
            use(model)


@pytest.mark.repeated
@pytest.mark.parametrize("kind", KINDS)
def test_mutated_files(kind: str, contents: Any, tmp_path: Path, times: int) -> None:
    """In the document, in the header of the tensors, in their bytes, or anywhere."""
    rng, whole = random.Random(0), parts_of(contents[kind])
    loaded = 0
    for _ in range(200 * times):
        parts, content, what = whole, contents[kind], rng.random()
        if what < 0.6:
            content = parts._replace(document=mutated(parts.document, rng)).content()
        elif what < 0.7:
            content = parts._replace(header=mutated(parts.header, rng)).content()
        elif what < 0.9:
            data = bytearray(parts.data)
            start = rng.randrange(len(data) - 8)
            data[start : start + 8] = rng.choice(
                [b"\xff" * 8, bytes(8), struct.pack("<d", 1e300), struct.pack("<d", np.inf)]
            )
            content = parts._replace(data=bytes(data)).content()
        else:
            content = bytes(b if rng.random() > 1e-3 else rng.randrange(256) for b in content)
        model = loads(content, tmp_path / "m")
        if model is not None:
            use(model)
            loaded += 1
    assert 0 < loaded < 150 * times


def test_each_value_of_another_type(contents: Any, tmp_path: Path) -> None:
    """None, a flag, a number, a text and a list in place of each value in turn."""
    parts = parts_of(contents["table"])
    for place in places(parts.document):
        for junk in (None, True, -7, 1.5, "text", [], {"$tuple": [[[]]]}):
            document = json.loads(json.dumps(parts.document))
            if at(document, place) == junk:
                continue
            at(document, place[:-1])[place[-1]] = junk
            model = loads(parts._replace(document=document).content(), tmp_path / "m")
            if model is not None:
                use(model)


# --------------------------------------------------------------------------- one fault at a time


def changed(parts: Parts, *place: Any, to: Any) -> bytes:
    document = json.loads(json.dumps(parts.document))
    at(document, place[:-1])[place[-1]] = to
    return parts._replace(document=document).content()


@pytest.mark.parametrize(
    ("place", "to", "what"),
    [
        (("format",), 8, "by a newer version of fastmlp: got format 8, known are formats up to 7"),
        (("format",), 6, "it has the format 6"),
        (("format",), 0, "it has the format 0"),
        (("format",), "7", "it has the format '7'"),
        (("kind",), "Model", "it holds an object of 'Model'"),
        (("attributes", "epochs"), "many", "epochs must be"),
        (("attributes", "n_iter_"), -1, "its n_iter_ is -1"),
        (("attributes", "fit"), 1, "its attribute 'fit' is none of a trainer's own"),
        (("attributes", "__class__"), 1, "its attribute '__class__'"),
        (("attributes", "optimizer"), {"$object": ["os.system", {}]}, "attributes/optimizer"),
        (("attributes", "optimizer"), {"$object": ["SGD", {"momentum": 7}]}, "momentum of SGD"),
        (("attributes", "optimizer"), {"$object": ["SGD", {"x": 7}]}, "unexpected keyword"),
        (("model", "network", "rule"), "adams", "'adams'"),
        (("model", "network", "weights"), [], "weights"),
        (("model", "encoding", "inputs", "columns", "n_given"), 10**12, "does not map|medians"),
        (("model", "encoding", "outputs", "count"), 7, "does not map|classes"),
        (("model", "random"), {"$tuple": [0, {}]}, "bit_generator|PCG64|damaged"),
        (("history", "loss"), {"$list": "int64"}, "history/loss holds something else"),
        (("history", "more"), {"$list": "float64"}, "it has no tensor history/more"),
        (("history", "loss"), [1.0], "it has an unknown tensor history/loss"),
    ],
)
def test_faults_are_named(place: Any, to: Any, what: str, contents: Any, tmp_path: Path) -> None:
    parts = parts_of(contents["table"])
    (tmp_path / "m").write_bytes(changed(parts, *place, to=to))
    with pytest.raises(ModelFileError, match=what):
        fastmlp.load(tmp_path / "m")


def test_a_history_has_an_element_per_epoch(contents: Any, tmp_path: Path) -> None:
    """A number of epochs that is too large would be padded in each copy."""
    for n_epochs in (2, 4, 10**9, 2**200):
        (tmp_path / "m").write_bytes(
            changed(parts_of(contents["linear"]), "attributes", "n_iter_", to=n_epochs)
        )
        with pytest.raises(ModelFileError, match=f"has 3 epochs in place of {n_epochs}$"):
            fastmlp.load(tmp_path / "m")


def test_spreads_are_finite(contents: Any, tmp_path: Path) -> None:
    parts = parts_of(contents["linear"])
    start, _ = parts.header["model/encoding/outputs/spread"]["data_offsets"]
    data = bytearray(parts.data)
    for number in (np.inf, np.nan, 0.0, -1.0):
        data[start : start + 8] = struct.pack("<d", number)
        (tmp_path / "m").write_bytes(parts._replace(data=bytes(data)).content())
        with pytest.raises(ModelFileError, match="spread"):
            fastmlp.load(tmp_path / "m")


def test_what_epochs_of_an_estimator_leave(contents: Any, tmp_path: Path) -> None:
    """All of it, and that of one way of stopping."""
    model = MLPClassifier(4, max_iter=3).fit(X, Y)  # whose lists are short enough for JSON
    model.save(tmp_path / "m.safetensors")
    parts = parts_of((tmp_path / "m.safetensors").read_bytes())
    others = {
        "loss_": None, "loss_curve_": None, "best_loss_": None, "validation_scores_": [0.5],
        "best_validation_score_": 0.5, "_no_improvement_count": None,
    }  # fmt: skip
    for name, other in others.items():
        document = json.loads(json.dumps(parts.document))
        document["attributes"][name] = other
        assert loads(parts._replace(document=document).content(), tmp_path / "m") is None, name
        del document["attributes"][name]
        assert loads(parts._replace(document=document).content(), tmp_path / "m") is None, name


def test_keys_that_share_a_hash(contents: Any, tmp_path: Path) -> None:
    """20,000 would take five seconds."""
    keys = [i * sys.hash_info.modulus for i in range(20_000)]
    for count, is_read in ((1_000, True), (20_000, False)):
        many = {"$dict": [[key, None] for key in keys[:count]]}
        content = changed(parts_of(contents["linear"]), "attributes", "zz", to=many)
        start = time.perf_counter()
        assert (loads(content, tmp_path / "m") is not None) == is_read
        assert time.perf_counter() - start < 2


@pytest.mark.parametrize("name", ["_is_fitting", "_skl_callbacks", "_callback_fit_ctx", "fit"])
def test_attributes_that_are_not_an_estimators(name: str, contents: Any, tmp_path: Path) -> None:
    content = changed(parts_of(contents["classifier"]), "attributes", name, to=[1])
    (tmp_path / "m").write_bytes(content)
    with pytest.raises(ModelFileError, match=f"'{name}' is none of an estimator's own"):
        fastmlp.load(tmp_path / "m")


@pytest.mark.parametrize("labels", [[0], [0, 1], [[0, 1, 2]], [0, 1, 3], 0])
def test_classes_of_an_estimator_are_those_of_its_network(labels: Any) -> None:
    model = MLPClassifier(4, max_iter=1).fit(X, Y)
    model.classes_ = np.array(labels)
    with pytest.raises(ValueError, match="classes_"):
        model.save("m.safetensors")


def test_headers_that_the_format_forbids(contents: Any, tmp_path: Path) -> None:
    parts = parts_of(contents["linear"])
    document = json.dumps({"fastmlp": json.dumps(parts.document)})
    entries = json.dumps(parts.header)[1:-1]
    first = next(iter(parts.header))
    entry = json.dumps(parts.header[first])
    metadata = f'"__metadata__":{document}'
    huge = "9" * 5_000

    def refused(header: str, what: str, data: bytes = parts.data) -> None:
        (tmp_path / "m").write_bytes(joined(header, data))
        with pytest.raises(ModelFileError, match=what):
            fastmlp.load(tmp_path / "m")

    assert loads(joined(f"{{{metadata},{entries}}}", parts.data), tmp_path / "m") is not None
    refused(f'{{{metadata},{entries},"{first}":{entry}}}', "a name twice")
    refused(f"{{{metadata},{metadata},{entries}}}", "a name twice")
    twice = json.dumps(json.dumps(parts.document).replace('"format"', '"kind":1,"format"', 1))
    refused(f'{{"__metadata__":{{"fastmlp":{twice}}},{entries}}}', "a name twice")
    refused(f'{{{metadata},{entries},"x":[{huge}]}}', "an integer of 5000 digits")
    refused(f'{{{metadata},{entries},"x":[1e999]}}', "the number 1e999")
    refused(f'{{{metadata},{entries},"x":[NaN]}}', "the number NaN")
    refused(f'{{{metadata},{entries},"x":{"[" * 90_000}', "nested too deeply")
    refused(f'{{{metadata},{entries},"x":{"[" * 200}{"]" * 200}}}', "damaged")
    refused(f'{{{metadata},{entries},"ü":1}}', "other than ASCII")
    refused(f"{{{entries}}}", "read: it is no model file")
    refused(
        f'{{"__metadata__":{{"format":"pt"}},{entries}}}',
        "read: it is no model file",
    )
    refused("[]", "read: it is no model file")
    refused("{", "no JSON")
    refused('{"__metadata__":{"fastmlp":"[1]"}}', "no object of JSON")
    refused('{"__metadata__":{"fastmlp":"\\u00fc"}}', "other than ASCII")
    items = ",".join(["0"] * (errors.HEADER_ITEMS + 1))
    refused(f'{{{metadata},{entries},"x":[{items}]}}', "items, more than 100000")
    refused(" " * (errors.HEADER_BYTES + 1), "bytes, more than 2097152")
    (tmp_path / "m").write_bytes(struct.pack("<Q", 2**63) + bytes(100))
    with pytest.raises(ModelFileError, match="read: it is no safetensors file, or truncated"):
        fastmlp.load(tmp_path / "m")


@pytest.mark.parametrize(
    "fault",
    [
        {"data_offsets": [0, 2**64]}, {"data_offsets": [0, 1]}, {"data_offsets": [8, 0]},
        {"data_offsets": [-8, 0]}, {"data_offsets": [1, 9]}, {"shape": [2**62, 2**62]},
        {"shape": [-1]}, {"shape": [7]}, {"shape": []}, {"dtype": "F32"}, {"dtype": "F8_E4M3"},
        {"dtype": "X"}, {"dtype": 3}, {"shape": "3"}, {"shape": [1.5]}, {"data_offsets": None},
    ],
)  # fmt: skip
def test_tensors_that_do_not_fit(fault: Any, contents: Any, tmp_path: Path) -> None:
    parts = parts_of(contents["linear"])
    for name in parts.header:
        header = {**parts.header, name: {**parts.header[name], **fault}}
        if header != parts.header:
            assert loads(parts._replace(header=header).content(), tmp_path / "m") is None, name


@pytest.mark.parametrize("junk", JUNK, ids=repr)
def test_a_document_that_is_anything(junk: Any, contents: Any, tmp_path: Path) -> None:
    parts = parts_of(contents["linear"])
    assert loads(parts._replace(document=junk).content(), tmp_path / "m") is None
    for key in parts.document:
        if parts.document[key] != junk and junk != 3:
            model = loads(changed(parts, key, to=junk), tmp_path / "m")
            assert model is None or key in ("model", "history")


# ---------------------------------------------------------------------------------------- memory

# For each file a child, as memory that another one has left would count less.
PEAK = """
import os, sys, fastmlp, safetensors.numpy
from pathlib import Path

def high():
    text = Path("/proc/self/status").read_text()
    return int(text.partition("VmHWM:")[2].split()[0]) * 1024

def report(path):
    fastmlp.load(sys.argv[1])
    Path("/proc/self/clear_refs").write_text("5")
    before = high()
    try:
        fastmlp.load(path)
    except fastmlp.ModelFileError:
        print("refused", end=" ")
    print(high() - before, flush=True)

fastmlp.load(sys.argv[1])
for line in sys.stdin:
    child = os.fork()
    if child == 0:
        report(line.strip())
        os._exit(0)
    if os.waitpid(child, 0)[1]:
        print("died", flush=True)
"""


@pytest.fixture(scope="module")
def peak(
    contents: dict[str, bytes], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[Path], list[str]]]:
    """What a process says that loads a file: the bytes at its peak, and whether it refused."""
    small = tmp_path_factory.mktemp("small") / "m"
    small.write_bytes(contents["linear"])
    with subprocess.Popen(
        [sys.executable, "-c", PEAK, small], cwd=ROOT, text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    ) as process:  # fmt: skip

        def said(path: Path) -> list[str]:
            print(path, file=process.stdin, flush=True)
            assert process.stdout is not None
            return process.stdout.readline().split()

        yield said


def large(kind: str, contents: Any) -> bytes:
    """A file that asks for much memory."""
    parts = parts_of(contents["linear"])
    tensors, document = json.loads(json.dumps(parts[:2]))
    data = parts.data
    if kind == "lists":
        document["attributes"]["zz"] = [[]] * 90_000
    elif kind == "dicts":
        document["attributes"]["zz"] = [{"a": 0.5} for _ in range(45_000)]
    elif kind == "texts":
        document["attributes"]["zz"] = ["\U0001d11e" * 10] * 15_000
    elif kind == "entries":
        entry = {"dtype": "U8", "shape": [0], "data_offsets": [len(data), len(data)]}
        tensors |= {f"{i}": entry for i in range(14_000)}
    else:
        name, dtype, item, count = {
            "history": ("history/loss", "F64", 8, 12_000_000),
            "weights": ("model/network/weights/0", "F32", 4, 24_000_000),
            "classes": ("model/monitored", "U8", 1, 100_000_000),
            "unknown": ("zz", "I64", 8, 12_000_000),
        }[kind]
        tensors.pop(name, None)
        tensors[name] = {
            "dtype": dtype, "shape": [count], "data_offsets": [len(data), len(data) + item * count]
        }  # fmt: skip
        data += bytes(item * count)
        if kind == "history":
            document["history"]["loss"] = {"$list": "float64"}
    return Parts(tensors, document, data).content()


@pytest.mark.costly
@pytest.mark.parametrize(
    "kind",
    ["lists", "dicts", "texts", "entries", "history", "weights", "classes", "unknown"],
)
def test_memory_of_hostile_files(kind: str, contents: Any, peak: Any, tmp_path: Path) -> None:
    path = tmp_path / "large"
    path.write_bytes(large(kind, contents))
    said = peak(path)
    assert int(said[-1]) < 2 * path.stat().st_size + 50e6, said


@pytest.mark.full
@pytest.mark.parametrize("optimizer", ["sgd", "adam", "adagrad"])
@pytest.mark.parametrize("hidden", [2_000, ()])
def test_memory_of_large_models(optimizer: str, hidden: Any, peak: Any, tmp_path: Path) -> None:
    path = tmp_path / "large.safetensors"
    features = 10_000 if hidden else 1_000_000
    model = trainer(hidden, optimizer=optimizer, epochs=1)
    model.fit(np.ones((16, features), np.float32), np.arange(16) % 2).save(path)
    said = peak(path)
    assert "refused" not in said
    assert int(said[-1]) < 2 * path.stat().st_size + 50e6, said
