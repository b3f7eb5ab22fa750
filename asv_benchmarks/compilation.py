"""How long until a new process has imported fastmlp, and has done its first fit?

The fit is that of the default Trainer on 1,000 rows of MNIST, beyond importing Numba.
"""

from pathlib import Path

from fastmlp import Trainer

MNIST = Path(__file__).parents[1] / "examples" / "mnist.npz"

_FIT = "import fastmlp; fastmlp.Trainer(seed=0).fit(X, Y)"
_DATA = f"""
import numba
import numpy as np
with np.load({str(MNIST)!r}) as data:
    X = np.divide(data["train_images"][:1000].reshape(1000, -1), 255, dtype=np.float32)
    Y = data["train_labels"][:1000]
"""
_EMPTY_CACHE = """
import os, tempfile
cache = tempfile.TemporaryDirectory()
os.environ["NUMBA_CACHE_DIR"] = cache.name
"""


class Import:
    """Of fastmlp alone, and of what it cannot do without."""

    repeat = (1, 5, 10.0)

    def timeraw_numba(self) -> str:
        return "import numba"

    def timeraw_fastmlp_after_numba(self) -> tuple[str, str]:
        return "import fastmlp", "import numba"


class FirstFit:
    repeat = (1, 3, 30.0)
    timeout = 180

    def setup_cache(self) -> None:
        """Fill the cache of this commit."""
        data: dict[str, object] = {}
        exec(_DATA, data)
        Trainer(seed=0).fit(data["X"], data["Y"])  # type: ignore[arg-type]

    def timeraw_empty_cache(self) -> tuple[str, str]:
        return _FIT, _EMPTY_CACHE + _DATA

    def timeraw_warm_cache(self) -> tuple[str, str]:
        return _FIT, _DATA
