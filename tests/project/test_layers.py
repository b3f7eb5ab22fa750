"""Nothing in fastmlp imports upward."""

import ast
from collections.abc import Iterator
from importlib.util import resolve_name
from pathlib import Path

import pytest

import fastmlp

ROOT = Path(fastmlp.__file__).parent

# Top first; modules of one layer do not import each other.
LAYERS = (
    {"fastmlp"},
    {"fastmlp.ensemble", "fastmlp.warmup", "fastmlp.presets"},
    {"fastmlp.trainer"},
    {"fastmlp.fitting"},
    {"fastmlp.inference"},
    {"fastmlp.network"},
    {"fastmlp.outputs", "fastmlp.inputs"},
    {"fastmlp.history", "fastmlp.data"},
    {"fastmlp.settings"},
    {"fastmlp.losses", "fastmlp.optimizers", "fastmlp.schedules", "fastmlp.callbacks"},
    {"fastmlp.metrics"},
    {"fastmlp.checked"},
    {"fastmlp.kernels"},
)
DEPTH = {module: depth for depth, layer in enumerate(LAYERS) for module in layer}


def module_name(file: Path) -> str:
    parts = ("fastmlp", *file.relative_to(ROOT).with_suffix("").parts)
    return ".".join(parts).removesuffix(".__init__")


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
            # From fastmlp itself one imports its modules, or names that __init__ took from them.
            names = [name if name in DEPTH else base for name in members]
        yield from (name for name in names if name.split(".")[0] == "fastmlp")


@pytest.mark.parametrize("file", sorted(ROOT.rglob("*.py")), ids=module_name)
def test_imports_go_down(file: Path) -> None:
    importer = component(module_name(file))
    assert importer in DEPTH, f"{importer} is in none of the layers"
    for imported in map(component, imports(file)):
        allowed = imported == importer or DEPTH[imported] > DEPTH[importer]
        assert allowed, f"{module_name(file)} must not import {imported}"


# ------------------------------------------------------------------------------ inside of kernels

FOLDERS = ("language", "products", "plugins", "runs")


def folder(module: str) -> str:
    """The folder of kernels that a module is in, if it is in one."""
    return [*module.split("."), "", "", ""][2]


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
