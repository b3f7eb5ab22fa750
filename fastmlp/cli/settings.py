"""Settings of a trainer as options: one for each setting, explained by the docstring of Trainer."""

import argparse
import ast
import inspect
import re
from typing import Any

from .. import presets
from ..callbacks import EarlyStopping
from ..losses import LOSSES
from ..optimizers import OPTIMIZERS
from ..schedules import SCHEDULES
from ..settings import SETTINGS
from ..trainer import Trainer
from .parser import Parser, value

_PRESETS = {"tabular": presets.tabular, "images": presets.images, "text": presets.text}
# Defaults that are not those of Trainer.
DEFAULTS: dict[str, Any] = {"seed": 0, "missing": "impute"}
# What the command itself sets.
_OWN = "callbacks", "verbose", "warm_start"
# Flags; others take a value.
_FLAGS = "shuffle", "refit", "early_stopping"
_OBJECTS = {
    kind.__name__: kind
    for kind in (*LOSSES.values(), *OPTIMIZERS.values(), *SCHEDULES.values(), EarlyStopping)
}  # fmt: skip
_TEXT = """\
as of fastmlp.Trainer, where help(fastmlp.Trainer) says more. Several values are separated by
commas; details are given as in Python: --optimizer "AdamW(weight_decay=0.01)".
"""


def add_settings(parser: Parser) -> None:
    """Add an option for each setting that a text can give, and for presets."""
    group = parser.add_argument_group("settings of the network", _TEXT)
    group.add_argument("--preset", choices=_PRESETS, help="settings for a kind of data")
    texts, defaults = _explanations(), vars(Trainer()) | DEFAULTS
    for name in SETTINGS:
        if name in _OWN:
            continue
        option = f"--{name.replace('_', '-')}"
        default = "" if defaults[name] is None else f"; default: {str(defaults[name]).lower()}"
        text = (texts.get(name, "") + default).replace("%", "%%")
        if name in _FLAGS:
            group.add_argument(option, action=argparse.BooleanOptionalAction, help=text)
        else:
            names = (option,) if name != "metrics" else ("--metric", option)
            group.add_argument(*names, dest=name, type=_setting, metavar="VALUE", help=text)


def take_settings(given: dict[str, Any]) -> dict[str, Any]:
    """Take the settings out of the arguments given: those of a preset, and options over them."""
    own = {name: given.pop(name) for name in SETTINGS if name in given}
    preset = given.pop("preset", None)
    return {**_PRESETS[preset], **own} if preset else own


def _setting(text: str) -> Any:
    """A value, or an object with details, as ``SGD(momentum=0.9)``."""
    found = re.fullmatch(r"(\w+)\(.*\)", text)
    if found is None:
        return None if text.lower() == "none" else value(text)
    kind = _OBJECTS.get(found[1])
    try:
        call = ast.parse(text, mode="eval").body
        if kind is None or not isinstance(call, ast.Call) or call.args:
            raise ValueError
        return kind(**{str(k.arg): ast.literal_eval(k.value) for k in call.keywords})
    except (SyntaxError, ValueError, TypeError) as error:
        details = str(error) or f"known are {', '.join(sorted(_OBJECTS))}, as in Python"
        raise argparse.ArgumentTypeError(f"{text}: {details}") from None


def _explanations() -> dict[str, str]:
    """The first sentence on each setting in the docstring of Trainer; none under ``python -OO``."""
    text = (inspect.getdoc(Trainer) or "").partition("\nAttributes\n")[0]
    found: dict[str, str] = {}
    for names, lines in re.findall(r"^([\w, ]+) : .*\n((?:    .*\n)+)", text, re.M):
        sentence = re.split(r"(?<=[\w)\"])\. ", " ".join(lines.split()))[0]
        found |= dict.fromkeys(names.split(", "), sentence.rstrip(".").replace("``", ""))
    return found
