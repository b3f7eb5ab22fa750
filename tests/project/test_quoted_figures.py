"""Figures that pages quote from tables and results elsewhere."""

import re
from pathlib import Path

import pytest

import fastmlp
from asv_benchmarks.race.jobs import MAIN_JOBS
from asv_benchmarks.race.results import Race
from asv_benchmarks.race.systems import SYSTEMS
from tests.helpers.processes import ROOT

PERFORMANCE = ROOT / "docs" / "performance"
README, CHANGELOG, INDEX = ROOT / "README.md", ROOT / "CHANGELOG.md", PERFORMANCE / "index.md"
RACE = Race.read(ROOT / "asv_benchmarks" / "race" / "results.json")


def words(page: Path) -> str:
    return " ".join(page.read_text(encoding="utf-8").split())


def test_epochs() -> None:
    race = RACE.only([*MAIN_JOBS], [*SYSTEMS])
    pairs = {job: (race.of_job(job)[0].best, race.best_peer(job).best) for job in race.jobs()}
    ratios = sorted(peer / ours for ours, peer in pairs.values())
    for page in (CHANGELOG, INDEX):
        assert f"{ratios[0]:.1f} to {ratios[-1]:.1f} times as fast as in the best" in words(page)
    ours, peer = pairs["mnist"]
    assert f"takes {ours:.3f} s, and {peer:.2f} s in the fastest" in words(README)


def test_the_limit() -> None:
    speed, doubts = words(PERFORMANCE / "speed.md"), next(RACE.warnings(), "")
    assert f"in registers, {RACE.limit:.0f} GFLOP/s" in speed
    assert doubts.partition(" the limit")[0] in speed


@pytest.mark.parametrize(
    ("page", "numbers"),
    [(README, ["float64"]), (CHANGELOG, ["float64", "float32"]), (INDEX, ["float64, float32"])],
    ids=["readme", "changelog", "performance"],
)
def test_fits_in_place_of_scikit_learns(page: Path, numbers: list[str]) -> None:
    table = (PERFORMANCE / "others.md").read_text(encoding="utf-8")
    for kinds in numbers:
        rows = re.findall(rf"^\| (?:{kinds.replace(', ', '|')}), (?:Adam|SGD) (.*)$", table, re.M)
        ratios = [float(ratio) for row in rows for ratio in re.findall(r"[\d.]+", row)]
        assert len(ratios) >= 10
        assert f"{min(ratios)} to {max(ratios)} times" in words(page)


def test_calls_and_sparse_rows() -> None:
    others, changelog = words(PERFORMANCE / "others.md"), words(CHANGELOG)
    compiled, predict, onnx = re.findall(r"\| 28-64-2 \| (\S+) \| (\S+) \| (\S+)", others)[0]
    call = f"takes {compiled} µs, by `predict` {predict} µs, by onnxruntime {onnx} µs"
    assert call in changelog
    (bounds,) = re.findall(r"takes (\d+ to \d+ times) as long; ", others)
    assert f"{bounds} as fast as scikit-learn's" in changelog


@pytest.mark.parametrize("page", ["README.md", "docs/start.md"])
def test_the_wheel_is_of_this_version(page: str) -> None:
    named = re.findall(r"fastmlp-(\S+)-py3-none-any\.whl", words(ROOT / page))
    assert named == [fastmlp.__version__]
