"""The script that compares the weights of two commits: what it runs, and that it sees a change."""

import inspect
import sys
from functools import partial

import pytest

from asv_benchmarks import compare, same_weights
from asv_benchmarks.fits import FITS, LABELS, X, fit
from asv_benchmarks.same_weights import differences, left_by
from fastmlp import Trainer
from fastmlp.kernels.plugins.activations import ACTIVATIONS
from fastmlp.losses import LOSSES
from fastmlp.optimizers import OPTIMIZERS
from fastmlp.schedules import SCHEDULES

TABLES = {
    "activation": ACTIVATIONS, "loss": LOSSES, "optimizer": OPTIMIZERS, "schedule": SCHEDULES,
}  # fmt: skip


@pytest.mark.parametrize("setting", TABLES)
def test_every_entry_of_a_table_is_fitted(setting):
    listed = {name.partition(f": {setting}=")[2] for name in FITS}
    assert listed >= set(TABLES[setting])


def test_every_setting_is_set_by_a_fit():
    settings = set(inspect.signature(Trainer).parameters) - {"time_budget", "verbose"}
    code = inspect.getsource(sys.modules[fit.__module__])
    assert {name for name in settings if not (f'"{name}"' in code or f"{name}=" in code)} == set()


def test_two_seeds_differ_in_all_that_is_compared():
    first, again, other = (left_by(partial(fit, X, LABELS, seed=seed)) for seed in (1, 1, 2))
    assert differences(first, again) == []
    found = {text.partition(":")[0] for text in differences(first, other)}
    assert found == {"weights 0", "history 0", "predictions 1", "predictions 2"}


def test_a_fit_that_fails_is_a_difference():
    failed = {"failed": "ValueError: no"}
    assert differences(failed, failed) == ["failed: ValueError: no and ValueError: no"]


@pytest.mark.costly
@pytest.mark.parametrize(("fits", "same"), [("loss=auto", False), ("learning_rate=0.02", True)])
def test_a_commit_with_another_default_rate(fits, same, monkeypatch, capsys):
    """It is found, but not by fits whose rate is given."""
    check_out = compare.check_out

    def changed(commit, folder):
        check_out(compare.WORKING_TREE, folder)
        if folder.name == "second":
            file = folder / "fastmlp" / "optimizers.py"
            old, new = (f"default_rate: ClassVar[float] = {rate}" for rate in (0.001, 0.002))
            text = file.read_text(encoding="utf-8")
            assert old in text
            file.write_text(text.replace(old, new), encoding="utf-8")

    monkeypatch.setattr(same_weights, "check_out", changed)
    monkeypatch.setattr(sys, "argv", ["same_weights", ".", ".", "--only", f"labels: {fits}"])
    if same:
        same_weights.main()
        shown = capsys.readouterr().out
        assert shown == "1 fits, weights and histories the same bit for bit\n"
    else:
        with pytest.raises(SystemExit, match="differences in 1 fits"):
            same_weights.main()
        assert f"labels: {fits}: weights 0: " in capsys.readouterr().out
