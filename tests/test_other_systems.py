"""On systems without forks, affinities and other parts of POSIX a fit gives the same weights.

The systems are feigned: Numba and the code that it generates are those of this one.
"""

from pathlib import Path

import numpy as np
import pytest

from fastmlp import Trainer
from tests.helpers.basics import needs_compiler
from tests.helpers.processes import run

# NumPy, Numba and the standard library have branches of their own.
FEIGNED = """
import concurrent.futures, os, sys
import numba, numpy as np

numba.get_num_threads()
for name in ("fcntl", "grp", "posix", "pty", "pwd", "resource", "termios"):
    sys.modules[name] = None
for name in ("fork", "geteuid", "register_at_fork", "sched_getaffinity", "RTLD_NOLOAD"):
    delattr(os, name)
sys.platform = "{system}"

from fastmlp import Trainer

X = np.random.default_rng(0).normal(size=(400, 6))
trainer = Trainer(hidden=(48, 32), epochs=3, threads=2, batch_size=128, seed=0).fit(X, X[:, 0] > 0)
np.save({path!r}, trainer.predict_proba(X))
"""


@needs_compiler
@pytest.mark.costly
@pytest.mark.parametrize("system", ["win32", "darwin"])
def test_a_fit(system: str, tmp_path: Path) -> None:
    path = tmp_path / "probabilities.npy"
    code = FEIGNED.format(system=system, path=str(path))
    run(code, timeout=300, NUMBA_CACHE_DIR=str(tmp_path))  # kernels for the other system
    X = np.random.default_rng(0).normal(size=(400, 6))
    trainer = Trainer(hidden=(48, 32), epochs=3, batch_size=128, seed=0).fit(X, X[:, 0] > 0)
    np.testing.assert_array_equal(np.load(path), trainer.predict_proba(X))
