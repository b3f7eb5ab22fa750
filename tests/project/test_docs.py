"""Docstrings name what there is: settings, the entries of tables, and their parameters."""

import inspect
import re
from collections.abc import Collection
from dataclasses import MISSING, Field, fields
from importlib import import_module
from importlib.metadata import metadata
from typing import Any, get_type_hints

import pytest

import fastmlp
from fastmlp import MLPClassifier, MLPRegressor, Trainer, presets
from fastmlp.callbacks import Checkpoint, CSVLog, EarlyStopping
from fastmlp.kernels.plugins.activations import ACTIVATIONS
from fastmlp.losses import LOSSES
from fastmlp.metrics import METRICS
from fastmlp.optimizers import OPTIMIZERS
from fastmlp.schedules import SCHEDULES
from fastmlp.settings.checks import INITIALIZERS
from tests.helpers.processes import ROOT

TABLES: dict[str, Collection[str]] = {
    "activation": ACTIVATIONS,
    "initializer": INITIALIZERS,
    "loss": [*LOSSES, "auto"],
    "optimizer": OPTIMIZERS,
    "schedule": SCHEDULES,
    "metrics": [*METRICS, "auto"],
}
CLASSES: list[type[Any]] = [
    kind for table in (LOSSES, OPTIMIZERS, SCHEDULES) for kind in table.values()
] + [EarlyStopping, Checkpoint, CSVLog]


def parameters(documented: Any) -> dict[str, str]:
    """What a docstring says of each parameter: the line with its type, and the text under it."""
    doc = inspect.cleandoc(documented.__doc__)
    section = re.search(r"^Parameters\n-+\n(.*?)(?=^\S+\n---|\Z)", doc, re.M | re.S)
    texts: dict[str, str] = {}
    for entry in re.split(r"\n(?=\S)", section[1].strip() if section else ""):
        names = re.match(r"(\w+(?:, \w+)*) : ", entry)
        if names:
            texts |= dict.fromkeys(names[1].split(", "), entry)
    return texts


@pytest.mark.parametrize("setting", TABLES)
def test_trainer_names_the_entries_of_its_tables(setting: str) -> None:
    named = set(re.findall(r'"(\w+)"', parameters(Trainer)[setting]))
    assert named - {"auto"} == set(TABLES[setting]) - {"auto"}


def test_trainer_documents_its_settings_in_order() -> None:
    documented = list(parameters(Trainer))
    assert sorted(documented) == sorted(inspect.signature(Trainer).parameters)
    pairs = {"l2": "l1"}  # in one entry, the other way round
    assert [name for name in documented if name not in pairs] == [
        name for name in inspect.signature(Trainer).parameters if name not in pairs
    ]


@pytest.mark.parametrize("name", inspect.signature(Trainer).parameters)
def test_trainer_tells_the_defaults(name: str) -> None:
    """Those that are said: "default ...", "optional" for None, the first in braces."""
    default = inspect.signature(Trainer).parameters[name].default
    line = parameters(Trainer)[name].splitlines()[0]
    if said := re.search(r", default (.*)$", line):
        assert eval(said[1]) == default
    elif ", optional" in line:
        assert default is None
    elif choice := re.search(r"\{(.*?),", line):
        assert eval(choice[1]) == default


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_classes_document_their_parameters(kind: type[Any]) -> None:
    # A dataclass without a docstring gets one that is its signature.
    assert kind.__doc__
    assert not kind.__doc__.startswith(f"{kind.__name__}(")
    documented = parameters(kind)
    assert set(documented) == {item.name for item in fields(kind)}
    for item in fields(kind):
        check_default(item, documented[item.name])


def check_default(item: "Field[Any]", text: str) -> None:
    """Where one line speaks of several parameters, their defaults stand in the same order."""
    line = text.splitlines()[0]
    said = re.search(r", default (.*)$", line)
    if said is None:
        assert item.default in (None, MISSING) or "default" not in line
        return
    names, values = line.partition(" : ")[0].split(", "), said[1].split(" and ")
    value = eval(values[names.index(item.name)] if len(values) > 1 else values[0])
    assert value == item.default


def test_the_classifier_documents_its_parameters() -> None:
    """In order; ``MLPRegressor`` refers to it."""
    documented, signature = parameters(MLPClassifier), inspect.signature(MLPClassifier).parameters
    assert list(documented) == list(signature)
    for name, parameter in signature.items():
        line = documented[name].splitlines()[0]
        if said := re.search(r", default (.*)$", line):
            values = said[1].split(" and ")
            names = line.partition(" : ")[0].split(", ")
            assert eval(values[names.index(name) if len(values) > 1 else 0]) == parameter.default
        elif ", optional" in line:
            assert parameter.default is None
        elif choice := re.search(r"\{(.*?),", line):
            assert eval(choice[1]) == parameter.default
    further = set(parameters(MLPRegressor)) - set(documented)
    assert further == {"loss"}


def shown_lines() -> list[str]:
    """Lines of code in CONTRIBUTING.md, without the comments that say where they stand."""
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```python\n(.*?)^```$", text, re.M | re.S)
    lines = (line.partition("  # ")[0].strip() for block in blocks for line in block.splitlines())
    return list(filter(None, lines))


def test_contributing_shows_the_code() -> None:
    files = (ROOT / "fastmlp").rglob("*.py")
    sources = {
        line.strip() for file in files for line in file.read_text(encoding="utf-8").splitlines()
    }
    assert shown_lines()
    assert [line for line in shown_lines() if line not in sources] == []


def test_contributing_names_every_module() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    tree = text.partition("fastmlp/\n")[2].partition("tests/ ")[0]
    present = {
        path.name + "/" * path.is_dir()
        for path in [*(ROOT / "fastmlp").iterdir(), *(ROOT / "fastmlp" / "kernels").iterdir()]
        if (path.suffix == ".py" or path.is_dir()) and not path.name.startswith("_")
    }
    assert set(re.findall(r"\b\w+(?:\.py|/)", tree)) == present


@pytest.mark.parametrize("name", sorted({*fastmlp.__all__} - {"__version__", "presets", "History"}))
def test_annotations_can_be_resolved(name: str) -> None:
    """Programs make command lines and forms of them. A History gives objects of other packages."""
    public = getattr(fastmlp, name)
    functions = [public] if inspect.isfunction(public) else [public.__init__]
    if inspect.isclass(public) and public.__module__.startswith("fastmlp"):
        functions += [f for n, f in inspect.getmembers(public, inspect.isfunction) if n[0] != "_"]
    for function in functions:
        get_type_hints(function)


def page(name: str) -> str:
    return (ROOT / "docs" / f"{name}.md").read_text(encoding="utf-8")


def test_the_reference_has_every_public_name() -> None:
    pages = (ROOT / "docs" / "reference").glob("*.md")
    text = "\n".join(path.read_text(encoding="utf-8") for path in pages)
    names = re.findall(r"^\.\. auto(?:class|function|data):: (\S+)\.(\w+)$", text, re.M)
    documented = [getattr(import_module(module), name) for module, name in names]
    public = [getattr(fastmlp, name) for name in {*fastmlp.__all__} - {"__version__", "presets"}]
    public += [
        value for name, value in vars(presets).items() if name[0] != "_" and isinstance(value, dict)
    ]
    public += CLASSES
    dask = pytest.importorskip("fastmlp.dask")
    public += [getattr(dask, name) for name in dask.__all__]
    found = {id(item) for item in documented}
    assert [item for item in public if id(item) not in found] == []


@pytest.mark.parametrize(
    ("name", "table"), [("losses", LOSSES), ("optimizers", OPTIMIZERS), ("schedules", SCHEDULES)]
)
def test_the_reference_lists_the_names_of_classes(name: str, table: Any) -> None:
    rows = re.findall(r'^\| `"(\w+)"` \| `(\w+)` \| (\S+)', page(f"reference/{name}"), re.M)
    assert [row[:2] for row in rows] == [(key, kind.__name__) for key, kind in table.items()]
    if name == "optimizers":
        assert [float(rate) for *_, rate in rows] == [kind.default_rate for kind in table.values()]


def test_the_reference_lists_the_metrics() -> None:
    rows = re.findall(r'^\| `"(\w+)"` \|.*\| (\w+) \|$', page("reference/metrics"), re.M)
    assert dict(rows) == {
        name: "larger" if metric.larger_is_better else "smaller" for name, metric in METRICS.items()
    }


def test_the_first_page_lists_the_extras() -> None:
    extras = re.findall(r"^\| `([\w-]+)` \|", page("start"), re.M)
    not_for_users = {"test", "docs", "bench", "defaults"}
    assert set(extras) == set(metadata("fastmlp").get_all("Provides-Extra", [])) - not_for_users
