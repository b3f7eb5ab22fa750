"""The systems of the race, and checks whether they are installed."""

from dataclasses import dataclass, field
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec


@dataclass(frozen=True)
class System:
    """A system: its module here, required packages, and environment variables."""

    module: str
    packages: tuple[str, ...]
    environment: dict[str, str] = field(default_factory=dict)

    def missing(self) -> list[str]:
        """Packages that are not installed."""
        return [name for name in self.packages if find_spec(name) is None]

    def versions(self) -> dict[str, str]:
        return {name: version_of(name) for name in self.packages}


def version_of(package: str) -> str:
    try:
        return version({"sklearn": "scikit-learn"}.get(package, package))
    except PackageNotFoundError:  # imported from a clone
        return str(getattr(import_module(package), "__version__", "unknown"))


SYSTEMS = {
    "fastmlp": System("fastmlp_trainer", ("fastmlp", "numba")),
    "jax": System("jax_scan", ("jax",)),
    "torch": System("torch_eager", ("torch",)),
    "torch-compiled": System("torch_compiled", ("torch",)),
    "sklearn": System("sklearn_mlp", ("sklearn",)),
    "keras-jax": System("keras_fit", ("keras", "jax"), {"KERAS_BACKEND": "jax"}),
    "keras-torch": System("keras_fit", ("keras", "torch"), {"KERAS_BACKEND": "torch"}),
    "numpy": System("numpy_loop", ("numpy",)),
}
