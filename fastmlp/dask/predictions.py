"""Predictions of the partitions of Dask's collections, which stay lazy."""

from typing import Any

import dask.array as da
import numpy as np
import pandas as pd
from dask import delayed
from dask.dataframe.dispatch import make_meta

from ..data import Array
from ..data.names import check_names, column_names
from ..data.targets import Samples
from ..inference.forward import Evaluation
from ..network.model import Model
from ..outputs import Means
from ..trainer import Trainer
from .partitions import check_collection, check_dense


def lazy(trainer: Trainer, X: Any, method: str) -> Any:
    """Call a method of a trainer on each partition, when the result is computed.

    Returns an array for arrays, else a series or dataframe with the index of X. The network is one
    task, so that it is sent to each worker once.

    Raises
    ------
    TypeError, ValueError
        For something else than a collection, or other columns than those of the fit.
    """
    X, wanted = check_collection(X, "X", (2,)), trainer.n_features_in_
    if not isinstance(X, da.Array) and hasattr(trainer, "feature_names_in_"):
        check_names(trainer.feature_names_in_, column_names(list(X.columns)))
    if X.shape[1] != wanted:
        raise ValueError(f"X must have {wanted} features; got {X.shape[1]}")
    row = _of_one_row(trainer.model_, method)
    model = delayed(predictor(trainer.model_), traverse=False)
    if isinstance(X, da.Array):
        chunks = (X.chunks[0], *((n,) for n in row.shape[1:]))
        drops = {} if row.ndim == 2 else {"drop_axis": 1}
        return da.map_blocks(
            _of_rows, X, model, method=method, meta=row[:0], empty=row[:0], chunks=chunks, **drops
        )
    columns = np.arange(row.shape[-1]) if method == "predict" else trainer.classes_
    meta = pd.Series(row) if row.ndim == 1 else pd.DataFrame(row, columns=columns)
    meta = meta.iloc[:0].set_axis(make_meta(X).index[:0])
    return X.map_partitions(_of_frame, model, method, meta, meta=meta)


def _of_one_row(model: Model, method: str) -> Array:
    """The result for some row, of the dtype and the columns of any result."""
    outputs = model.encoding.outputs
    decode = {
        "predict": outputs.predictions, "predict_proba": outputs.probabilities,
        "decision_function": outputs.decisions,
    }[method]  # fmt: skip
    return np.asarray(decode(np.zeros((1, outputs.count), model.network.dtype)))


def predictor(model: Model) -> Trainer:
    """A trainer that only predicts, in one thread for each partition."""
    trainer = Trainer(threads=1)
    trainer.model_ = Model(model.network.restarted("sgd"), model.encoding, model.hidden)
    return trainer


def _of_rows(X: Array, model: Trainer, method: str, empty: Array) -> Array:
    check_dense(X, "X")
    result: Array = getattr(model, method)(X) if len(X) else empty
    return result


def _of_frame(X: Any, model: Trainer, method: str, empty: Any) -> Any:
    if len(X) == 0:
        return empty
    values = getattr(model, method)(X)
    if empty.ndim == 1:
        return pd.Series(values, index=X.index, dtype=empty.dtype)
    return pd.DataFrame(values, index=X.index, columns=empty.columns)


def means_of(samples: Samples, local: Trainer) -> Means:
    """Losses and scores of a partition."""
    model = local.model_
    rows = model.encoding.rows_and_targets(*samples, model.network.dtype)
    evaluation = Evaluation(model.network, model.encoding, rows, local.threads)
    means = evaluation.means(model.network)
    evaluation.give_back()
    return means
