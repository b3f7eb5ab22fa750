"""Predictions of the partitions of Dask's collections, which stay lazy."""

from functools import partial
from typing import Any

import dask.array as da
import numpy as np
import pandas as pd
from dask import delayed
from dask.dataframe.dispatch import make_meta

from ..data import Array
from ..network.model import Model
from ..trainer import Trainer
from .partitions import check_collection


def lazy(trainer: Trainer, X: Any, method: str) -> Any:
    """Call a method of a trainer on each partition, when the result is computed.

    Returns an array for arrays, else a series or dataframe with the index of X. The network is one
    task, so that it is sent to each worker once.

    Raises
    ------
    TypeError, ValueError
        For something else than a collection, or another number of columns.
    """
    X, wanted = check_collection(X, "X", (2,)), trainer.n_features_in_
    if X.shape[1] != wanted:
        raise ValueError(f"X must have {wanted} features; got {X.shape[1]}")
    empty = _of_no_rows(trainer.model_, method)
    model = delayed(predictor(trainer.model_), traverse=False)
    if isinstance(X, da.Array):
        chunks = (X.chunks[0], *((n,) for n in empty.shape[1:]))
        drops = {} if empty.ndim == 2 else {"drop_axis": 1}
        return da.map_blocks(
            _predicted, X, model, method=method, empty=empty, meta=empty, chunks=chunks, **drops
        )
    columns = None if empty.ndim == 1 else _columns(trainer, method, empty.shape[1])
    as_pandas = partial(pd.Series) if columns is None else partial(pd.DataFrame, columns=columns)
    meta = as_pandas(empty, index=make_meta(X).index[:0])
    return X.map_partitions(_frame, model, method, empty, as_pandas, meta=meta)


def _columns(trainer: Trainer, method: str, count: int) -> Any:
    """Labels of the columns of a result: the classes, or 0, 1, ..."""
    return np.arange(count) if method == "predict" else trainer.classes_


def _of_no_rows(model: Model, method: str) -> Array:
    """The result for no rows, of the dtype and the columns of any result."""
    outputs = model.encoding.outputs
    decode = {
        "predict": outputs.predictions, "predict_proba": outputs.probabilities,
        "decision_function": outputs.decisions,
    }[method]  # fmt: skip
    return np.asarray(decode(np.zeros((1, outputs.count), model.network.dtype))[:0])


def predictor(model: Model) -> Trainer:
    """A trainer that only predicts, in one thread for each partition."""
    trainer = Trainer(threads=1)
    trainer.model_ = Model(model.network.restarted("sgd"), model.encoding, model.hidden)
    return trainer


def _predicted(X: Any, model: Trainer, method: str, empty: Array) -> Array:
    result: Array = getattr(model, method)(X) if len(X) else empty
    return result


def _frame(X: Any, model: Trainer, method: str, empty: Array, as_pandas: Any) -> Any:
    return as_pandas(_predicted(X, model, method, empty), index=X.index)
