"""Imports go down and have no cycles; private names stay in their module or class."""

import ast
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from importlib.util import resolve_name
from pathlib import Path

import pytest

import fastmlp

ROOT = Path(fastmlp.__file__).parent

# Top first; modules of one layer do not import each other.
LAYERS = (
    {"fastmlp", "fastmlp.__main__"},
    {"fastmlp.cli"},
    {"fastmlp.load"},
    {"fastmlp.estimators", "fastmlp.dask"},
    {"fastmlp.ensemble", "fastmlp.warmup", "fastmlp.presets"},
    {"fastmlp.several_fits"},
    {"fastmlp.trainer"},
    {"fastmlp.saved"},
    {"fastmlp.fitting", "fastmlp.sklearn_protocol", "fastmlp.onnx"},
    {"fastmlp.inference"},
    {"fastmlp.network"},
    {"fastmlp.outputs", "fastmlp.inputs", "fastmlp.streams"},
    {"fastmlp.history", "fastmlp.data"},
    {"fastmlp.settings"},
    {"fastmlp.losses", "fastmlp.optimizers", "fastmlp.schedules", "fastmlp.callbacks"},
    {"fastmlp.metrics", "fastmlp.files"},
    {"fastmlp.checks", "fastmlp.cached", "fastmlp.frozen", "fastmlp.fit_warning", "fastmlp.figure"},
    {"fastmlp.did_you_mean", "fastmlp.member"},
    {"fastmlp.kernels"},
)
DEPTH = {module: depth for depth, layer in enumerate(LAYERS) for module in layer}


def module_name(file: Path) -> str:
    parts = ("fastmlp", *file.relative_to(ROOT).with_suffix("").parts)
    return ".".join(parts).removesuffix(".__init__")


MODULES = {module_name(file): file for file in sorted(ROOT.rglob("*.py"))}


def component(module: str) -> str:
    """What the layers speak of: a module or package right under fastmlp, or fastmlp itself."""
    return ".".join(module.split(".")[:2])


def imports(file: Path) -> Iterator[str]:
    """Absolute names of the modules of fastmlp that a file imports, inside functions too."""
    is_package = file.name == "__init__.py"
    package = module_name(file) if is_package else module_name(file).rpartition(".")[0]
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = resolve_name("." * node.level + (node.module or ""), package)
            members = [f"{base}.{alias.name}" for alias in node.names]
            # From a package one imports its modules, or names that __init__ took from them.
            names = [name if name in MODULES else base for name in members]
        yield from (name for name in names if name.split(".")[0] == "fastmlp")


@pytest.mark.parametrize("file", sorted(ROOT.rglob("*.py")), ids=module_name)
def test_imports_go_down(file: Path) -> None:
    importer = component(module_name(file))
    assert importer in DEPTH, f"{importer} is in none of the layers"
    for imported in map(component, imports(file)):
        allowed = imported == importer or DEPTH[imported] > DEPTH[importer]
        assert allowed, f"{module_name(file)} must not import {imported}"


def test_the_layers_are_those_of_the_tree() -> None:
    assert set(DEPTH) == set(map(component, MODULES))


def test_the_tests_have_the_folders_of_the_package() -> None:
    folders = [
        {path.parent.relative_to(top) for path in top.rglob("*.py")}
        for top in (ROOT, ROOT.parent / "tests")
    ]
    assert folders[1] - folders[0] == {Path("fuzzing"), Path("helpers"), Path("project")}
    assert folders[0] <= folders[1]


def cycle(graph: dict[str, set[str]]) -> list[str]:
    """The modules of a cycle of imports, if there is one."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def test_no_import_cycles() -> None:
    """Among all modules; imports under ``TYPE_CHECKING`` count too."""
    graph = {module: set(imports(file)) for module, file in MODULES.items()}
    assert cycle(graph) == []
    graph["fastmlp.data.arrays"].add("fastmlp.data.tables")
    assert "fastmlp.data.arrays" in cycle(graph)


# ------------------------------------------------------------------------------ inside of kernels

FOLDERS = ("language", "products", "plugins", "runs")


def folder(module: str) -> str:
    """The folder of kernels that a module is in, if it is in one."""
    return [*module.split("."), "", "", ""][2]


def test_the_folders_are_those_of_kernels() -> None:
    assert {*FOLDERS, ""} == {
        folder(module) for module in MODULES if component(module) == "fastmlp.kernels"
    }


@pytest.mark.parametrize("file", sorted((ROOT / "kernels").rglob("*/*.py")), ids=module_name)
def test_imports_inside_kernels_go_down(file: Path) -> None:
    own = FOLDERS.index(folder(module_name(file)))
    for imported in imports(file):
        assert FOLDERS.index(folder(imported)) <= own, f"{module_name(file)} imports {imported}"


@pytest.mark.parametrize("file", sorted((ROOT / "kernels").rglob("*/*.py")), ids=module_name)
def test_kernels_have_few_parameters_and_imports(file: Path) -> None:
    """Eight at the most; the two tiles, whose operands are many, may have more."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            assert len(node.names) <= 8
        if isinstance(node, ast.FunctionDef) and any(
            isinstance(mark, ast.Name) and mark.id in ("kernel", "plugin", "parallel_kernel")
            for mark in node.decorator_list
        ):
            assert len(node.args.args) <= 8 or node.name in ("outer", "inner"), node.name


# --------------------------------------------------------------------------------- private names

# Public methods of named tuples; the underscore keeps them apart from fields.
NAMED_TUPLE = {"_asdict", "_make", "_replace"}
# The standard library has no public name for these.
LIBRARY = {"sys._getframe", "_calling._is_owned"}
OWN = ("self", "cls")


def private(source: str) -> list[str]:
    """Private names of other modules, and of objects of another class, that a module uses.

    A method may use those of a second object of its own class, such as a copy.
    """
    tree, own = ast.parse(source), set()
    for kind in ast.walk(tree):
        if isinstance(kind, ast.ClassDef):
            inside = list(ast.walk(kind))
            attributes = [node for node in inside if isinstance(node, ast.Attribute)]
            names = {node.name for node in inside if isinstance(node, ast.FunctionDef)}
            names |= {node.attr for node in attributes if ast.unparse(node.value) in OWN}
            own |= {node for node in attributes if node.attr in names}
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            found += [alias.name for alias in node.names if is_private(alias.name)]
        elif isinstance(node, ast.Attribute) and is_private(node.attr) and node not in own:
            found.append(ast.unparse(node))
    return found


def is_private(name: str) -> bool:
    return name[0] == "_" and name[:2] != "__" and name not in NAMED_TUPLE


PLANTED = """
from .other import _helper
import sys
class A:
    def _restore(self):
        self._x = sys._getframe(1)._y
    def copy(self, other):
        new = type(self)()
        new._restore()
        return new._x, other._z, type(self)._w, new.pair._replace(a=1)
def outside(a):
    a._x = a.__dict__
"""


def test_private_names_are_found() -> None:
    wanted = {
        "_helper", "sys._getframe", "sys._getframe(1)._y", "other._z", "type(self)._w", "a._x",
    }  # fmt: skip
    assert set(private(PLANTED)) == wanted


def test_nothing_private_of_others_is_touched() -> None:
    """Only the interfaces to Numba and to scikit-learn may use private names of theirs."""
    found = {
        name: left
        for name, file in MODULES.items()
        if (left := set(private(file.read_text(encoding="utf-8"))) - LIBRARY)
    }
    assert found.keys() == {
        "fastmlp.estimators.scikit_learn", "fastmlp.kernels.language.backend"
    }  # fmt: skip


# --------------------------------------------------------------------------------- dependencies


def test_one_module_imports_numba_and_llvmlite() -> None:
    found = set()
    for file in sorted(ROOT.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            if any(name.partition(".")[0] in ("numba", "llvmlite") for name in names):
                found.add(module_name(file))
    assert found == {"fastmlp.kernels.language.backend"}


# Their threads go on spinning for 0.1 s on the cores that a fit, or the next one, needs: with one
# such product at the end of a fit, fits of 0.2 s on two threads took 1.6 times as long.
BLAS = {"dot", "vdot", "matmul", "tensordot", "linalg"}


def test_no_product_of_arrays_starts_the_threads_of_blas() -> None:
    """``einsum`` does not; orthogonal first weights are asked for, and need a decomposition."""
    found = set()
    for file in sorted(ROOT.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            is_product = isinstance(node, ast.BinOp) and isinstance(node.op, ast.MatMult)
            is_call = isinstance(node, ast.Attribute) and node.attr in BLAS
            is_import = isinstance(node, ast.ImportFrom) and "linalg" in (node.module or "")
            if is_product or is_call or is_import:
                found.add(module_name(file))
    assert found == {"fastmlp.network.initializers"}
