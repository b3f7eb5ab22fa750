"""A cluster of two processes."""

from collections.abc import Iterator

import pytest
from distributed import LocalCluster


@pytest.fixture(scope="package")
def cluster() -> Iterator[LocalCluster]:
    """Its workers start again when they are killed."""
    with LocalCluster(
        n_workers=2, threads_per_worker=1, dashboard_address=":0", scheduler_port=0,
        memory_limit=None, silence_logs=50,
    ) as cluster:  # fmt: skip
        yield cluster
