"""The changelog and the workflow files name what there is."""

import re
import shlex
from pathlib import Path
from typing import Any

import pytest

import fastmlp
from tests.helpers.processes import ROOT

WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
EXTRAS = re.compile(r"\.\[(.*)\]")


def test_the_changelog_begins_with_this_version() -> None:
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    releases = re.findall(r"^## \[(.+)\] - \d{4}-\d\d-\d\d$", text, re.M)
    assert releases[0] == fastmlp.__version__
    links = re.findall(r"^\[(.+)\]: https:\S+/tag/v\1$", text, re.M)
    assert sorted(links) == sorted(releases)


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_workflow(path: Path) -> None:
    yaml = pytest.importorskip("yaml")
    workflow = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert workflow[True]  # "on", for YAML 1.1
    assert workflow["permissions"] == {"contents": "read"}
    for job in workflow["jobs"].values():
        assert job.get("needs") in (None, *workflow["jobs"])
        assert job["timeout-minutes"] <= 90
        for step in job["steps"]:
            check_step(step)


def check_step(step: dict[str, Any]) -> None:
    """An action of a major version, or a command whose files and extras exist."""
    if "uses" in step:
        assert re.fullmatch(r"[\w-]+/[\w-]+@(release/)?v\d+", step["uses"])
        return
    words = shlex.split(step["run"])
    files = [word for word in words if "/" in word and not word.startswith("docs/_build")]
    assert [file for file in files if not (ROOT / file).exists()] == []
    for extras in filter(None, map(EXTRAS.fullmatch, words)):
        assert set(extras[1].split(",")) <= declared_extras()


def declared_extras() -> set[str]:
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    section = project.partition("[project.optional-dependencies]")[2].partition("\n[tool")[0]
    return set(re.findall(r"^(\w+) = \[", section, re.M))


def test_steps_with_a_mistake_are_found() -> None:
    for step in (
        {"uses": "actions/checkout@main"},
        {"run": "ci/run"},
        {"run": "pip install .[no]"},
    ):
        with pytest.raises(AssertionError):
            check_step(step)
