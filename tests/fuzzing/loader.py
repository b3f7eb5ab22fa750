"""Random model files by atheris, which is guided by the code that each of them runs.

    pip install atheris
    python -m tests.fuzzing.loader --minutes 10

ends with an error at the first file that is neither refused nor works, and leaves it here.
"""

import argparse
import sys
import tempfile
import warnings
from pathlib import Path

import atheris
import numpy as np

ROOT = Path(__file__).parents[2]
# Numba compiles them; they are not instrumented.
KERNELS = [
    ".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
    for file in (ROOT / "fastmlp" / "kernels").rglob("*.py")
]

with atheris.instrument_imports(include=["fastmlp"], exclude=KERNELS):
    from tests.fuzzing.model_files import changed_file, good_files, try_to_load


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=10)
    minutes = parser.parse_args().minutes
    warnings.simplefilter("ignore")
    files = good_files()
    with tempfile.TemporaryDirectory() as folder:
        for number, content in enumerate(files):
            (Path(folder) / str(number)).write_bytes(content)
        path = Path(folder) / "model.safetensors"
        outcomes = {True: 0, False: 0}

        def trial(data: bytes) -> None:
            path.write_bytes(data)
            outcomes[try_to_load(path)] += 1
            if sum(outcomes.values()) % 10_000 == 0:
                print(f"{outcomes[False]} refused, {outcomes[True]} loaded", flush=True)

        def change(data: bytes, max_size: int, seed: int) -> bytes:
            rng = np.random.default_rng(seed)
            if rng.uniform() < 0.1:
                return bytes(atheris.Mutate(data, max_size))
            # Half of them of a good file, as few that were changed several times are loaded.
            first = files[rng.integers(len(files))] if rng.uniform() < 0.5 else data
            return changed_file(rng, first)[:max_size]

        options = [
            "-verbosity=0",
            f"-max_total_time={60 * minutes:.0f}",
            "-max_len=200000",
            "-rss_limit_mb=2048",
        ]
        atheris.Setup([sys.argv[0], *options, folder], trial, custom_mutator=change)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
