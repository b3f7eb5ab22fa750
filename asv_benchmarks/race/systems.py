"""The systems of the race, and checks whether they are installed."""

from dataclasses import dataclass, field
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec


@dataclass(frozen=True)
class System:
    """A system: its name in tables, its module here, required packages, environment variables."""

    title: str
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
    "fastmlp": System("fastmlp", "fastmlp_trainer", ("fastmlp", "numba")),
    "jax": System("JAX", "jax_scan", ("jax",)),
    "torch": System("PyTorch", "torch_eager", ("torch",)),
    "torch-compiled": System("PyTorch, compiled", "torch_compiled", ("torch",)),
    "keras-jax": System("Keras (JAX)", "keras_fit", ("keras", "jax"), {"KERAS_BACKEND": "jax"}),
    "keras-torch": System(
        "Keras (PyTorch)", "keras_fit", ("keras", "torch"), {"KERAS_BACKEND": "torch"}
    ),
    "sklearn": System("scikit-learn", "sklearn_mlp", ("sklearn",)),
    "numpy": System("NumPy", "numpy_loop", ("numpy",)),
}
