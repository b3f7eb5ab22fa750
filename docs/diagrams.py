"""Draw the diagrams of how-to pages: ``python -m docs.diagrams``."""

import random
from pathlib import Path

from docs.svg import BLUE, GREEN, GREY, ORANGE, WHITE, Drawing

FOLDER = Path(__file__).parent / "pictures"
# One for each group of rows.
HUES = "#9ecae1", "#3182bd", "#a1d99b", "#31a354", "#fee391", "#fe9929", "#fcbba1", "#de2d26"


def streaming() -> Drawing:
    d = Drawing("Groups of a file are read in random order into windows, which are shuffled", 368)
    d.text(80, 26, "file on disk", anchor="middle", bold=True)
    for group, hue in enumerate(HUES):
        d.box(20, 40 + 36 * group, 120, 30, f"group {group + 1}", fill=hue, stroke=WHITE)
    d.text(80, 352, "groups of rows", anchor="middle")

    mixed = [HUES[group] for group in (5, 1, 7, 2) for _ in range(15)]
    random.Random(0).shuffle(mixed)
    d.text(350, 26, "window, shuffled", anchor="middle", bold=True)
    _window(d, 40, mixed)
    read = [HUES[group] for group in (4, 0) for _ in range(15)] + [HUES[6]] * 7
    d.text(350, 208, "next window", anchor="middle", bold=True)
    _window(d, 222, [*read, *[WHITE] * (60 - len(read))])
    d.text(350, 352, "a thread reads and encodes it", anchor="middle")
    d.line((146, 140), (244, 96), arrow=True)
    d.line((146, 230), (244, 274), arrow=True)
    for y, words in ((182, "in random"), (202, "order")):
        d.text(186, y, words, anchor="middle")

    d.line((456, 92), (500, 92), arrow=True)
    d.box(506, 46, 120, 92, "mini-batches,\non all cores", fill=BLUE)
    d.text(566, 26, "training", anchor="middle", bold=True)
    return d


def _window(d: Drawing, y: float, rows: list[str]) -> None:
    for number, hue in enumerate(rows):
        row, column = divmod(number, 10)
        d.box(250 + 20 * column, y + 17 * row, 20, 17, fill=hue, stroke=WHITE)
    d.box(248, y - 2, 204, 106, fill="none", dashed=WHITE in rows)


def serving() -> Drawing:
    d = Drawing("Processes of the server, and its model file", 360)
    d.box(200, 14, 190, 64, "first process\nreads the model", fill=GREY)
    d.line((295, 78), (295, 114), arrow=True)
    d.text(305, 102, "forks")
    d.box(200, 120, 190, 80, "worker 1\npredicts, one thread", fill=BLUE)
    d.box(200, 260, 190, 80, "worker 2\npredicts, one thread", fill=BLUE)
    d.box(14, 120, 112, 80, "clients", fill=WHITE)
    d.line((126, 160), (194, 160), arrow=True)
    d.line((126, 180), (160, 180), (160, 300), (194, 300), arrow=True)
    d.text(160, 146, "HTTP", anchor="middle")
    d.box(474, 120, 152, 80, "refit of a copy,\nin a thread", fill=ORANGE)
    d.line((390, 146), (468, 146), arrow=True)
    d.text(429, 138, "/refit", anchor="middle")
    d.line((474, 178), (396, 178), arrow=True)
    d.text(429, 196, "replaces", anchor="middle")
    d.line((550, 200), (550, 254), arrow=True)
    d.text(540, 234, "save", anchor="end")
    d.box(474, 260, 152, 80, "model file", fill=GREEN)
    d.line((474, 300), (396, 300), arrow=True)
    d.text(432, 292, "read,", anchor="middle")
    d.text(432, 320, "within 1 s", anchor="middle")
    return d


def onnx() -> Drawing:
    d = Drawing("The graph in the file table.onnx, from columns to predictions", 300)
    d.box(122, 12, 388, 276, fill="#f7f7f7", dashed=True)
    d.text(316, 36, "table.onnx", anchor="middle", bold=True)
    d.box(8, 62, 96, 66, "age\nfloat64", fill=WHITE)
    d.box(8, 184, 96, 66, "city\nstrings", fill=WHITE)
    d.box(140, 56, 158, 80, "median of gaps,\nmark, scaling", fill=ORANGE)
    d.box(140, 184, 158, 66, "0/1 column for\neach city", fill=ORANGE)
    d.line((104, 96), (136, 96), arrow=True)
    d.line((104, 217), (136, 217), arrow=True)
    d.box(360, 56, 136, 80, "layers of\nthe network", fill=BLUE)
    d.line((298, 96), (356, 96), arrow=True)
    d.line((298, 217), (330, 217), (330, 116), (356, 116), arrow=True)
    d.box(360, 184, 136, 66, "unit of Y", fill=GREEN)
    d.line((428, 136), (428, 180), arrow=True)
    d.line((496, 217), (524, 217), arrow=True)
    d.box(528, 184, 108, 66, "predictions\nfloat64", fill=WHITE)
    d.text(316, 276, "raw rows in, numbers in their unit out", anchor="middle")
    return d


def command_line() -> Drawing:
    d = Drawing("The commands, and the files that they read and write", 330)
    d.box(12, 20, 140, 60, "flats.csv\nrows with rents", fill=WHITE)
    d.line((152, 50), (196, 50), arrow=True)
    d.box(202, 20, 170, 60, "fastmlp train", fill=BLUE)
    d.line((372, 50), (446, 50), arrow=True)
    d.box(452, 20, 176, 60, "rents.safetensors\nthe model", fill=GREEN)
    d.line((287, 80), (287, 108), arrow=True)
    d.text(287, 126, "score, beside a linear model's", anchor="middle")
    for y, command, left in (
        (160, "predict", "new.csv"),
        (218, "evaluate", "rows with rents"),
        (276, "info", ""),
    ):
        d.box(202, y, 170, 40, f"fastmlp {command}", fill=BLUE)
        d.line((580, 80), (580, y + 8), (378, y + 8), arrow=True)
        if left:
            d.box(12, y, 140, 40, left, fill=WHITE)
            d.line((152, y + 20), (196, y + 20), arrow=True)
    for y, words in ((160, "rents.csv"), (218, "scores"), (276, "columns, settings")):
        d.line((372, y + 28), (420, y + 28), arrow=True)
        d.text(426, y + 34, words)
    return d


def model_file() -> Drawing:
    d = Drawing("The parts of a model file", 330)
    d.text(110, 26, "model.safetensors", anchor="middle", bold=True)
    parts = (
        (40, 76, GREY, "header in JSON", "of each array: name, dtype, shape, place"),
        (116, 76, ORANGE, "its metadata", "settings, classes, names of columns;"),
        (192, 124, BLUE, "arrays", "model/network/weights/0, 1, ..."),
    )
    for y, height, fill, name, words in parts:
        d.box(14, y, 192, height, name, fill=fill)
        d.text(226, y + 30, words)
    d.text(226, 166, 'one document, under the key "fastmlp"')
    for y, words in (
        (244, "state of optimizer and generator"),
        (266, "scaling, rows held out"),
        (288, "history/loss, history/val_loss, ..."),
    ):
        d.text(226, y, words)
    return d


DIAGRAMS = {
    "streaming": streaming, "serving": serving, "onnx": onnx, "command-line": command_line,
    "model-file": model_file,
}  # fmt: skip


def draw(name: str, folder: Path = FOLDER) -> None:
    """Write a diagram."""
    DIAGRAMS[name]().write(folder / f"{name}.svg")


if __name__ == "__main__":
    for name in DIAGRAMS:
        draw(name)
