"""Which package does a docstring come from? Networks on words: ``python examples/text.py``.

The documents are the docstrings of installed packages, without their examples of code and without
the names of the packages; those tested are of other files than those trained on. Rows of word
weights (TF-IDF) are sparse: of 15,000 words a docstring has 80.
Needs scikit-learn, and also runs LightGBM where it is installed.
"""

import ast
import re
import time
import warnings
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from picture import parse_args, write
from sklearn.exceptions import ConvergenceWarning
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupShuffleSplit
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline

import fastmlp
from fastmlp import Trainer, presets
from fastmlp.optimizers import SGD

Array = npt.NDArray[Any]

PACKAGES = ("numpy", "scipy", "pandas", "matplotlib", "sklearn")
NAMES = re.compile(r"\b(numpy|np|scipy|pandas|pd|matplotlib|mpl|plt|scikit|sklearn)\b", re.I)
SHORTEST = 200  # characters of a docstring
BEST = "fastmlp, for text"
# Each takes a seed. Their settings were chosen on these texts and on descriptions of programs.
MODELS: dict[str, Callable[[int], Any]] = {
    "LogisticRegression": lambda seed: LogisticRegression(C=10, max_iter=1_000),
    "fastmlp, linear": lambda seed: Trainer((), seed=seed),
    "fastmlp, linear by SGD": lambda seed: Trainer(
        (), optimizer=SGD(1.0, momentum=0.9), scaling=None, seed=seed
    ),
    "fastmlp, defaults": lambda seed: Trainer(seed=seed),
    BEST: lambda seed: Trainer(**presets.text, seed=seed),
    "fastmlp.MLPClassifier": lambda seed: fastmlp.MLPClassifier(
        early_stopping=True, random_state=seed
    ),
    "sklearn's MLPClassifier": lambda seed: MLPClassifier(early_stopping=True, random_state=seed),
}  # fmt: skip


def documents() -> Iterator[tuple[str, str, str]]:
    """Docstrings that differ, their packages and files; nothing is imported."""
    seen: set[str] = set()
    for package in PACKAGES:
        spec = find_spec(package)
        if spec is None or spec.origin is None:
            continue
        root = Path(spec.origin).parent
        for file in sorted(root.rglob("*.py")):
            if any("test" in part for part in file.relative_to(root).parts):
                continue
            for text in docstrings(file):
                if text not in seen:
                    seen.add(text)
                    yield text, package, str(file)


def docstrings(file: Path) -> Iterator[str]:
    """Those of classes and functions, without code and without names of packages."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ClassDef | ast.FunctionDef):
            lines = (ast.get_docstring(node) or "").splitlines()
            prose = (line for line in lines if not line.lstrip().startswith((">>>", "...")))
            text = NAMES.sub(" ", "\n".join(prose))
            if len(text) >= SHORTEST:
                yield text


def compared(
    X: Any, y: Array, X_test: Any, y_test: Array, seed: int
) -> dict[str, tuple[float, float]]:
    """Accuracy on the test rows, and seconds of the fit, of each model; printed."""
    results = {}
    print(f"\n{'model':25}{'accuracy':>10}{'seconds':>10}")
    for name, make in MODELS.items():
        model = make(seed)
        start = time.perf_counter()
        model.fit(X, y)
        seconds = time.perf_counter() - start
        results[name] = float(np.mean(model.predict(X_test) == y_test)), seconds
        print(f"{name:25}{results[name][0]:10.1%}{seconds:10.1f}", flush=True)
    return results


def conclusion(results: dict[str, tuple[float, float]]) -> str:
    """What the network is worth, beside the linear model."""
    (linear, seconds), (best, own) = results["LogisticRegression"], results[BEST]
    why = "words count together" if best > linear else "take logistic regression"
    return (
        f"\nThe network is {100 * (best - linear):+.1f} points better than logistic regression, "
        f"in {own / seconds:.1f} times its seconds: {why}"
    )


def draw_results(ax: Any, results: dict[str, tuple[float, float]]) -> None:
    """Draw accuracy over seconds."""
    for number, (name, (accuracy, seconds)) in enumerate(results.items()):
        ax.plot(seconds, accuracy, "o", color=f"C{number}", label=name)
    accuracies, seconds_of = zip(*results.values(), strict=True)
    low, high = min(seconds_of) / 1.5, 1.5 * max(seconds_of)
    ax.set(xlabel="seconds of the fit", ylabel="accuracy", xscale="log", title="Models")
    ax.set(yticks=np.arange(np.floor(200 * min(accuracies)) / 200, max(accuracies) + 0.005, 0.005))
    ax.minorticks_off()
    ax.set_xticks([tick for tick in (0.1, 0.3, 1, 3, 10, 30, 100, 300) if low < tick < high])
    ax.set_xlim(low, high)
    ax.xaxis.set_major_formatter("{x:g}")
    ax.yaxis.set_major_formatter("{x:.1%}")
    ax.legend(fontsize="small")


def draw_confusion(ax: Any, y: Array, predicted: Array) -> None:
    """Draw of which packages documents are and of which they seem to be."""
    labels = np.unique(y)
    counts = np.array([[np.sum((y == a) & (predicted == b)) for b in labels] for a in labels])
    shares = counts / counts.sum(axis=1, keepdims=True)
    ax.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for (row, column), share in np.ndenumerate(shares):
        colour = "white" if share > 0.5 else "black"
        ax.text(column, row, f"{share:.0%}", ha="center", va="center", color=colour)
    places = range(len(labels))
    ax.set(xticks=places, xticklabels=labels, yticks=places, yticklabels=labels)
    ax.set(xlabel="predicted", ylabel="package", title=f"{BEST}: documents of each package")
    ax.grid(visible=False)


def main() -> None:
    args = parse_args("Classify texts with networks and other models.", "text")
    warnings.simplefilter("ignore", ConvergenceWarning)
    if find_spec("lightgbm") is not None:
        from lightgbm import LGBMClassifier

        MODELS["LightGBM"] = lambda seed: LGBMClassifier(random_state=seed, verbose=-1)
    texts, y, files = (np.array(part, object) for part in zip(*documents(), strict=True))
    split = GroupShuffleSplit(1, test_size=0.25, random_state=args.seed)
    train, test = next(split.split(texts, y, files))
    y = y.astype(str)
    words = TfidfVectorizer(sublinear_tf=True, min_df=2, dtype=np.float32)
    X, X_test = words.fit_transform(texts[train]), words.transform(texts[test])
    print(f"{len(train):,} docstrings to train on, {len(test):,} to test, of other files")
    print(f"{X.shape[1]:,} words, of which a docstring has {X.nnz / len(train):.0f}")
    results = compared(X, y[train], X_test, y[test], args.seed)

    pipeline = make_pipeline(words, MODELS[BEST](args.seed)).fit(texts[train], y[train])
    predicted = pipeline.predict(texts[test])
    text = "Draw a histogram with a logarithmic axis and save the figure."
    print(f"\n{text!r} is from {pipeline.predict([text])[0]}")
    print(conclusion(results))

    def draw(left: Any, right: Any) -> None:
        draw_results(left, results)
        draw_confusion(right, y[test], predicted)

    write(args.plot, draw, 2)


if __name__ == "__main__":
    main()
