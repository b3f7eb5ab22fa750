"""The drawings of background/kernels.md."""

from docs.drawing.svg import BLUE, GREEN, GREY, ORANGE, RED, WHITE, Drawing

MEMBERS = BLUE, ORANGE  # of a team, and the panels that they own


def panels() -> Drawing:
    d = Drawing("A weight matrix, and its panels in memory", 352)
    d.text(150, 22, "W1 (784 × 128)", anchor="middle", bold=True)
    for p, fill in enumerate(MEMBERS):
        x = 70 + 80 * p
        d.text(x + 40, 46, ("0-63", "64-127")[p], anchor="middle")
        d.box(x, 54, 80, 236, fill=fill)
        for y in (78, 102, 266):
            d.line((x, y), (x + 80, y))
        d.box(x, 290, 80, 24, fill=fill)
    for y, words in ((72, "0"), (96, "1"), (190, "⋮"), (284, "783"), (308, "biases")):
        d.text(62, y, words, anchor="end")
    d.text(150, 340, "two panels of 64 units", anchor="middle")

    d.text(470, 22, "in memory, row after row", anchor="middle", bold=True)
    d.line((236, 66), (262, 66), arrow=True)
    rows = [(0, "row 0"), (0, "row 1"), (0, "⋮"), (0, "row 783"), (0, "biases")]
    rows += [(1, "row 0"), (1, "row 1"), (1, "⋮"), (1, "biases")]
    for number, (p, words) in enumerate(rows):
        y = 54 + 28 * number + 8 * p
        d.text(334, y + 20, words, anchor="end")
        if words == "⋮":
            d.text(490, y + 20, "⋮", anchor="middle")
            continue
        for v in range(4):
            d.box(346 + 72 * v, y, 72, 28, "16" if number == 0 else "", fill=MEMBERS[p])
    d.text(490, 340, "4 vectors = 4 cache lines", anchor="middle")
    return d


def tile() -> Drawing:
    d = Drawing("A tile of six rows and four vectors, whose sums stay in registers", 424)
    d.text(470, 22, "panel of W1", anchor="middle", bold=True)
    d.box(310, 32, 320, 112, fill=BLUE)
    for v in range(4):
        d.box(310 + 80 * v, 76, 80, 24, fill=WHITE)
    d.text(300, 94, "row i", anchor="end")
    d.text(110, 184, "6 rows of X", anchor="middle", bold=True)
    for s in range(6):
        y = 196 + 28 * s
        d.box(10, y, 210, 24)
        d.box(100, y, 24, 24, fill=WHITE)
        d.line((220, y + 12), (306, y + 12), arrow=True)
        for v in range(4):
            d.box(310 + 80 * v, y, 80, 24, fill=GREEN)
    d.text(112, 384, "X[s, i]", anchor="middle")
    for v in range(4):
        d.line((350 + 80 * v, 100), (350 + 80 * v, 192), arrow=True)
    d.text(470, 384, "24 sums, in registers", anchor="middle", bold=True)
    d.text(320, 414, "at the end: + biases, ReLU, store", anchor="middle")
    return d


Shapes = list[tuple[int, ...]]


def _kilobytes(*shapes: tuple[int, ...]) -> float:
    """Of float32 arrays of these shapes."""
    return sum(4 * shape[0] * (shape[1] if len(shape) > 1 else 1) for shape in shapes) / 1000


# Arrays that the operations of a step of 784-128-10 in batches of 32 read, and that they write.
_X, _W1, _B1, _A = (32, 784), (784, 128), (128,), (32, 128)
_D, _W2, _B2 = (32, 10), (128, 10), (10,)
_OUTPUT = "logits, loss, update of W2"
_MASK = (32, 32)  # bytes, as many as A has numbers
_UNFUSED: list[tuple[str, Shapes, Shapes]] = [
    ("X[order]", [_X], [_X]),
    ("X @ W1", [_X, _W1], [_A]),
    ("+ b1", [_A, _B1], [_A]),
    ("ReLU", [_A], [_A]),
    (_OUTPUT, [_A, _W2, _B2, _A, *[_D] * 8, *[_W2] * 3], [*[_D] * 6, *[_W2] * 3]),
    ("E = D @ W2.T · (A > 0)", [_D, _W2, _A, _A, _MASK], [_A, _MASK, _A]),
    ("G = X.T @ E", [_X, _A], [_W1]),
    ("rate · G", [_W1], [_W1]),
    ("W1 - rate · G", [_W1, _W1], [_W1]),
]
_FUSED: dict[int, tuple[str, Shapes, Shapes]] = {
    0: ("X @ W1 + b1, ReLU", [_X, _W1, _B1], [_A]),
    4: (_OUTPUT, [_A, _W2, _B2, _A, *[_D] * 7, _W2], [*[_D] * 6, _W2]),
    5: ("E = D @ W2.T · (A > 0)", [_D, _W2, _A, _A], [_A, _A]),
    6: ("W1 += X.T @ (-rate · E)", [_A, _X, _A, _W1], [_A, _W1]),
}


def step() -> Drawing:
    d = Drawing("What a step reads and writes, operation by operation and fused", 516)
    for first, rows in ((0, 4), (4, 1), (5, 1), (6, 3)):
        d.box(4, 34 + 48 * first, 632, 48 * rows - 4, fill="#f6f6f6", stroke="none")
    d.text(14, 22, "one operation after another", bold=True)
    d.text(334, 22, "fused", bold=True)
    for x, operations in ((14.0, dict(enumerate(_UNFUSED))), (334.0, _FUSED)):
        total = 0.0
        for number, (words, read, written) in operations.items():
            y, kilobytes = 34 + 48 * number, (_kilobytes(*read), _kilobytes(*written))
            total += sum(kilobytes)
            d.text(x, y + 18, words)
            left = x
            for amount, fill in zip(kilobytes, MEMBERS, strict=True):
                d.box(left, y + 24, amount / 5.5, 14, fill=fill)
                left += amount / 5.5
            d.text(left + 6, y + 37, f"{sum(kilobytes):,.0f} kB")
        d.text(x, 490, f"{total / 1000:.1f} MB", bold=True)
    for x, words, fill in ((130, "read", BLUE), (210, "written", ORANGE)):
        d.box(x, 478, 14, 14, fill=fill)
        d.text(x + 20, 490, words)
    return d


def _lanes(d: Drawing, y: float, parts: list[tuple[str, float]]) -> None:
    """What two members do at the same time; "" is a barrier."""
    for member, fill in enumerate(MEMBERS):
        d.text(10, y + 26 + 44 * member, f"member {member}")
        x = 96.0
        for words, width in parts:
            if words:
                d.box(x, y + 4 + 44 * member, width, 34, words, fill=fill)
            elif member == 0:
                d.line((x + width / 2, y - 4), (x + width / 2, y + 92), stroke=RED, width=4)
            x += width


def team() -> Drawing:
    d = Drawing("A team of two on a mini-batch, and its barriers", 376)
    d.text(10, 24, "one hidden layer", bold=True)
    parts = [("forward", 110), ("logits", 70), ("", 24), ("loss", 70), ("deltas", 84)]
    _lanes(d, 44, [*parts, ("update", 120)])
    d.text(10, 180, "two hidden layers", bold=True)
    parts = [("fwd 1", 58), ("", 16), ("fwd 2", 58), ("logits", 58), ("", 16), ("loss", 46)]
    parts += [("δ 2", 38), ("", 16), ("upd 3", 58), ("δ 1", 38), ("", 16), ("upd 2", 58)]
    _lanes(d, 200, [*parts, ("upd 1", 58)])
    d.line((14, 322), (14, 346), stroke=RED, width=4)
    d.text(28, 340, "barrier: each member waits for the others")
    d.text(10, 366, "fwd: forward pass, δ: deltas, upd: update, of layers 1, 2 and 3")
    return d


def epoch() -> Drawing:
    d = Drawing("An epoch in time: Python and kernels", 396)
    d.text(10, 72, "Python")
    d.text(10, 142, "kernels")
    d.box(84, 42, 92, 44, "order,\nrates")
    d.box(506, 42, 124, 44, "score, publish,\ncallbacks")
    for number, (x, width) in enumerate(((180, 70), (262, 100), (374, 100), (486, 16))):
        d.box(x, 112, width, 44, ("first call", "0.1 s", "0.1 s", "")[number], fill=BLUE)
        if number:
            d.line((x - 6, 40), (x - 6, 104), stroke=RED, arrow=True)
    d.text(368, 26, "Ctrl-C, progress, time budget", anchor="middle", fill=RED)

    d.line((262, 156), (84, 206), dashed=True)
    d.line((362, 156), (630, 206), dashed=True)
    d.text(10, 234, "a call")
    for number, words in enumerate(("step", "step", "step", "…", "step", "step")):
        d.box(84 + 91 * number, 206, 91, 44, words, fill=BLUE)
    d.line((175, 250), (84, 300), dashed=True)
    d.line((266, 250), (630, 300), dashed=True)
    d.text(10, 328, "a step")
    d.box(84, 300, 80, 44, "rows", fill=BLUE)
    d.box(164, 300, 140, 44, "forward", fill=BLUE)
    d.box(304, 300, 96, 44, "loss", fill=BLUE)
    d.box(400, 300, 230, 44, "backward, update", fill=BLUE)
    d.text(320, 380, "boxes are not to scale", anchor="middle")
    return d


def sparse() -> Drawing:
    d = Drawing("Rows of weights that miss updates, and make up for them", 372)
    rows = {"cat": (1, 2, 5), "dog": (2,), "rate": (1, 6), "share": (3, 4)}  # their updates

    def make_up(last: int, update: int, x: float, y: float) -> None:
        if update - last > 1:
            points = (104 + 70 * last, y + 48), (x, y + 48), (x, y + 43)
            d.line(*points, arrow=True, stroke=RED)

    for update in range(1, 7):
        d.text(100 + 70 * update - 35, 48, str(update), anchor="middle")
    d.text(310, 22, "updates of an epoch", anchor="middle", bold=True)
    d.text(592, 48, "end", anchor="middle")
    for number, (name, updates) in enumerate(rows.items()):
        y, last = 60 + 54 * number, 0
        d.text(90, y + 28, name, anchor="end")
        for update in range(1, 7):
            x = 100 + 70 * (update - 1)
            if update in updates:
                d.box(x + 4, y + 4, 62, 38, "g", fill=GREEN)
                make_up(last, update, x + 20, y)
                last = update
            else:
                d.box(x + 4, y + 4, 62, 38, fill=WHITE, stroke="#999999", dashed=True)
        d.box(550, y + 4, 84, 38, "up to date", fill=BLUE)
        make_up(last, 7, 590, y)
    d.box(14, 290, 24, 18, fill=GREEN)
    d.text(48, 305, "the batch has the word: a row of gradient, an update")
    d.box(14, 316, 24, 18, fill=WHITE, stroke="#999999", dashed=True)
    d.text(48, 331, "it does not: the row is not even read")
    d.line((14, 351), (38, 351), stroke=RED, arrow=True)
    d.text(48, 356, "missed updates are made up for, before the row is used")
    return d


def bins() -> Drawing:
    d = Drawing("A binned feature as a piecewise-linear function, and its two rows", 336)
    knots = (30.0, 80.0, 120.0, 180.0, 230.0, 300.0, 350.0)
    heights = (200.0, 190.0, 150.0, 120.0, 170.0, 90.0, 70.0)
    d.text(190, 22, "what the feature adds to a unit", anchor="middle", bold=True)
    d.line((20, 250), (376, 250), arrow=True)
    d.line(*zip(knots, heights, strict=True), width=2.5)
    for x, y in zip(knots, heights, strict=True):
        d.line((x, 250), (x, y), stroke="#999999", dashed=True)
        d.box(x - 4, y - 4, 8, 8, fill=ORANGE)
    x, y = 210.0, 150.0
    d.line((x, 250), (x, y), stroke=RED, width=2.5)
    d.box(x - 4, y - 4, 8, 8, fill=RED)
    d.text(x, 272, "x", anchor="middle", fill=RED, bold=True)
    d.text(188, 272, "knot k", anchor="end")
    d.text(226, 272, "k + 1")

    d.text(510, 22, "V: values at knots", anchor="middle", bold=True)
    for number in range(7):
        row = 40 + 30 * number
        fill = ORANGE if number in (3, 4) else GREY
        words = {3: "V[k]", 4: "V[k + 1]"}.get(number, "")
        d.box(410, row, 200, 26, words, fill=fill)
    d.text(510, 276, "a column for each unit", anchor="middle")
    d.text(320, 318, "(1 - t) V[k] + t V[k + 1]", anchor="middle", bold=True)
    return d


DRAWINGS = {
    f"kernels-{made.__name__}": made for made in (panels, tile, step, team, epoch, sparse, bins)
}
