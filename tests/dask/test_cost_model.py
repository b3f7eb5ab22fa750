"""The tables of docs/background/dask-cost-model.md are the ones that the benchmark computes."""

import pytest

from asv_benchmarks.dask_rounds import FAN_IN, SHARE, Cluster, overhead, paper
from fastmlp.dask import pace, placed, worker_settings
from tests.helpers.processes import ROOT

MEASURED = Cluster(106e9, 0.0226, 0.001, 0.44e9)


def test_the_table(capsys: pytest.CaptureFixture[str]) -> None:
    paper(MEASURED)
    page = (ROOT / "docs" / "background" / "dask-cost-model.md").read_text(encoding="utf-8")
    assert capsys.readouterr().out in page


def test_how_often_one_process_handles_a_network() -> None:
    """From the client to one worker, in six steps to all; sixteen results up."""
    bare = Cluster(1.0, 0.0, 0.0, 1.0)
    assert overhead((1, 1), 2, bare, vectors=1) == 4 * 2 * (2 + 2)
    assert overhead((1, 1), 64, bare, vectors=1) == 4 * 2 * (7 + 16)


def test_the_model_is_of_this_package() -> None:
    assert vars(placed)["_FAN_IN"] == FAN_IN
    assert vars(pace)["_SHARE"] == SHARE
    assert worker_settings.LEAST_BATCH == 16
