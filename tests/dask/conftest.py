"""A cluster of two processes."""

from collections.abc import Iterator

import dask
import pytest
from distributed import LocalCluster


@pytest.fixture(scope="package")
def cluster() -> Iterator[LocalCluster]:
    """Its workers start again when they are killed."""
    with (
        # Later than any test: a worker that dies again would then be given up.
        dask.config.set({"distributed.deploy.lost-worker-timeout": "1h"}),
        LocalCluster(
            n_workers=2, threads_per_worker=1, dashboard_address=":0", scheduler_port=0,
            memory_limit=None, silence_logs=50,
        ) as cluster,
    ):  # fmt: skip
        yield cluster
