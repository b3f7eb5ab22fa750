"""Measure the rate of multiply-adds, which no dense kernel on this machine can exceed.

``python -m asv_benchmarks.fma_limit`` prints it; ``fastmlp bench`` does so beside rates of fits.
"""

import numpy.typing as npt

from asv_benchmarks import options


def fma_limit(dtype: npt.DTypeLike = "float32", threads: int = 1) -> float:
    """Measured rate of fused multiply-adds, each counted as two operations.

    Parameters
    ----------
    dtype : {"float32", "float64"}
    threads : int, default 1
        Threads that run at the same time, one per core.

    Returns
    -------
    float
        GFLOP/s of all threads together, the best of several runs of less than 0.1 s.

    Raises
    ------
    ImportError
        If this version of fastmlp cannot measure it.
    """
    from fastmlp.kernels.runs.fma_limit import fma_rates

    return max(fma_rates(dtype, threads))


def main() -> None:
    parser = options.parser_of(__file__, __doc__)
    parser.add_argument("--dtype", choices=["float32", "float64"], default="float32")
    options.add_count(parser, "--threads", options.processors(), "that run at the same time")
    args = parser.parse_args()
    limit = fma_limit(args.dtype, args.threads)
    print(f"{limit:.1f} GFLOP/s {args.dtype}, threads: {args.threads}")


if __name__ == "__main__":
    main()
