"""The losses of the kernels, and what targets each takes."""

KINDS = {
    "softmax_cross_entropy": "labels",
    "softmax_cross_entropy_weighted": "labels",
    "softmax_cross_entropy_rows": "probabilities",
    "binary_cross_entropy": "ones",
    "squared_error": "numbers",
    "absolute_error": "numbers",
    "huber": "numbers",
    "quantile": "numbers",
    "poisson": "counts",
}
SOFTMAX = [name for name, kind in KINDS.items() if kind in ("labels", "probabilities")]
POINTWISE = [name for name in KINDS if name not in SOFTMAX]
PLAIN = "softmax_cross_entropy"  # takes no weights and no smoothing
