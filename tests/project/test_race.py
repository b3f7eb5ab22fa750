"""The race of speed: its file, its continuation, and what the docs show of both races."""

import re
import sys

import pytest

from asv_benchmarks import options
from asv_benchmarks.defaults import markdown
from asv_benchmarks.defaults.results import SCORES, Results, compare
from asv_benchmarks.defaults.sets import GROUPS
from asv_benchmarks.defaults.systems import SYSTEMS
from asv_benchmarks.pictures import digest, results_of
from asv_benchmarks.race import __main__ as command
from asv_benchmarks.race.jobs import MAIN_JOBS, ODD_JOBS
from asv_benchmarks.race.markdown import job_list, overview
from asv_benchmarks.race.results import Race
from asv_benchmarks.race.systems import SYSTEMS as SPEED_SYSTEMS
from asv_benchmarks.race.systems import System
from tests.helpers.processes import ROOT

RACE = ROOT / "asv_benchmarks" / "race" / "results.json"
DEFAULTS = ROOT / "asv_benchmarks" / "defaults" / "results.jsonl"
DOCS = ROOT / "docs"


def measured(system, job, seconds):
    return {
        "system": system, "job": job, "import_seconds": 0.5, "first_epoch_seconds": 3.0,
        "epoch_seconds": [2 * seconds, seconds], "loss": 0.3, "versions": {system: "1.0"},
    }  # fmt: skip


@pytest.fixture
def hold(monkeypatch, tmp_path):
    """The command, with workers that measure nothing; returns the processes that it ran."""
    started = []

    def run_worker(system, job, epochs, threads, cache):
        started.append((system, job, threads))
        seconds = {"fastmlp": 0.1, "jax": 0.2, "numpy": 0.4}[system]
        return measured(system, job, seconds + 0.1 * (threads == 1))

    monkeypatch.setattr(command, "run_worker", run_worker)
    monkeypatch.setattr(command, "fma_limit", lambda *_: 1_000.0)
    monkeypatch.setattr(command.options, "installed", lambda names, _: names)

    def run(arguments):
        started.clear()
        options = f"--threads 2 --results {tmp_path / 'race.json'} {arguments}"
        monkeypatch.setattr(sys, "argv", ["race", *options.split()])
        command.main()
        return started

    return run


def test_a_race_goes_on_from_its_file(hold, tmp_path):
    started = hold("--jobs mnist --systems fastmlp,jax --rounds 1")
    assert started == [("fastmlp", "mnist", 2), ("jax", "mnist", 2), ("jax", "mnist", 1)]
    assert hold("--jobs mnist --systems fastmlp,jax --rounds 1") == []
    # The second round, of the better number of threads, and what is new.
    assert sorted(hold("--jobs mnist --systems fastmlp,jax,numpy --rounds 2")) == [
        ("fastmlp", "mnist", 2), ("jax", "mnist", 2),
        ("numpy", "mnist", 1), ("numpy", "mnist", 2), ("numpy", "mnist", 2),
    ]  # fmt: skip
    race = Race.read(tmp_path / "race.json")
    assert race.processes("jax", "mnist", 2) == 2
    assert race.processes("jax", "mnist", 1) == 1
    assert len(race.limits) == 2 * 8


def test_systems_that_are_not_installed(capsys):
    systems = {"numpy": System("NumPy", "", ("numpy",)), "none": System("None", "", ("no_such",))}
    assert options.installed(systems, systems) == ["numpy"]
    assert capsys.readouterr().out == "none: skipped, not installed: no_such\n"
    with pytest.raises(SystemExit, match="no system is installed"):
        options.installed(["none"], systems)


def test_what_is_shown_of_a_race(hold, capsys):
    hold("--jobs mnist,dense --systems fastmlp,jax,numpy --rounds 1")
    capsys.readouterr()
    assert hold("--no-run --jobs mnist --systems fastmlp,numpy") == []
    shown = capsys.readouterr().out
    gflops = MAIN_JOBS["mnist"].flops_per_epoch / 0.1 / 1e9
    assert "| job | fastmlp (of the limit) | NumPy |" in shown
    assert f"| mnist | **0.100** ({gflops / 1_000:.0%}) | 0.400 |" in shown
    assert "| start | 3.5 | 3.5 |" in shown
    assert "at most 2 threads" in shown
    assert "dense" not in shown


def tables_and_words(page):
    text = page.read_text(encoding="utf-8")
    tables = [table.rstrip() for table in re.findall(r"^(?:\|.*\n)+", text, re.M)]
    return tables, " ".join(text.split())


def test_the_page_on_speed_shows_the_results():
    race = Race.read(RACE)
    parts = [race.only(list(jobs), list(SPEED_SYSTEMS)) for jobs in (MAIN_JOBS, ODD_JOBS)]
    parts = [part for part in parts if part.records]
    tables, words = tables_and_words(DOCS / "performance" / "speed.md")
    assert tables == [overview(part) for part in parts]
    lists = [" ".join(job_list(part).split()) for part in parts]
    ratios = [race.best_peer(job).best / race.of_job(job)[0].best for job in parts[0].jobs()]
    bounds = [f"{ratio:.1f} times" for ratio in (min(ratios), max(ratios))]
    for shown in (*lists, *bounds, race.where, race.versions):
        assert shown in words


def test_the_page_on_defaults_shows_the_results():
    results = Results(DEFAULTS)
    tables, words = tables_and_words(DOCS / "performance" / "defaults.md")
    expected = []
    for group in ("held-back", "check"):
        sets = GROUPS[group]
        found = [compare(results, "", sets, kind, list(SYSTEMS), splits=1) for kind in SCORES]
        assert sum(len(comparison.sets) for comparison in found) == len(sets)
        assert all(shown in words for shown in results.about(found))
        expected.append(markdown.overview(found))
    assert tables == expected


@pytest.mark.parametrize(
    ("picture", "results"), [("race", RACE), ("defaults", DEFAULTS)], ids=["race", "defaults"]
)
def test_pictures_are_of_the_results(picture, results):
    pytest.importorskip("PIL")
    assert results_of(DOCS / "pictures" / f"{picture}.png") == digest(results)
