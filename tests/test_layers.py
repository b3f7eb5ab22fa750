"""Nothing in fastmlp imports upward, and kernels stay small where they meet."""

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
    {"fastmlp.compilation"},
    {"fastmlp.trainer"},
    {"fastmlp.training", "fastmlp.prediction", "fastmlp.state"},
    {"fastmlp.network", "fastmlp.history", "fastmlp.data"},
    {"fastmlp.validation"},
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


# ------------------------------------------------------------------------------- inside the kernels

# Each folder imports only from itself and from those before it.
FOLDERS = ("language", "products", "plugins", "runs")
KERNELS = sorted((ROOT / "kernels").rglob("*.py"))

# More would mean that a record, or a module of its own, is missing. The two tiles are matrix
# products: their operands and sizes are as many as those of any such routine.
MOST_NAMES = MOST_PARAMETERS = 8
TILES = {"outer", "inner"}
KINDS = {"unit", "parallel_unit", "plugin"}


@pytest.mark.parametrize("file", KERNELS, ids=module_name)
def test_kernels_import_from_folders_before_their_own(file: Path) -> None:
    own = file.relative_to(ROOT / "kernels").parts[0]
    allowed = FOLDERS[: FOLDERS.index(own) + 1] if own in FOLDERS else ()
    for imported in imports(file):
        assert imported.split(".")[2:3] in [[folder] for folder in allowed]


@pytest.mark.parametrize("file", KERNELS, ids=module_name)
def test_kernels_take_few_names_and_parameters(file: Path) -> None:
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            assert len(node.names) <= MOST_NAMES, f"from {node.module} import ..."
        elif isinstance(node, ast.FunctionDef) and node.name not in TILES:
            decorators = {ast.unparse(decorator) for decorator in node.decorator_list}
            few = len(node.args.args) <= MOST_PARAMETERS
            assert few or not decorators & KINDS, f"{node.name} has {len(node.args.args)}"
