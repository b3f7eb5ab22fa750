"""Hints at the name that was probably meant: misspellings, and the names of other libraries."""

import difflib
from collections.abc import Iterable
from dataclasses import fields
from inspect import Parameter, signature
from typing import Any, TypeVar

T = TypeVar("T")

# Names here -> other names, in lower case and without underscores. A name with "=" stands for a
# setting with a value. Names that users may give to attributes of their own, such as "layers",
# "scaler" or "precision", are left out.
ALSO_CALLED = {
    # parameters
    "hidden": "hiddenlayersizes hiddenlayers hiddenunits hiddensize hiddensizes layersizes",
    "activation": "nonlinearity activationfunction activationfn",
    "initializer": "kernelinitializer weightinit init",
    "dropout": "dropoutrate dropoutprob dropoutp",
    "loss": "criterion objective lossfn lossfunc lossfunction",
    "class_weight": "classweights",
    "optimizer": "solver optim",
    "learning_rate": "lr learningrateinit maxlr",
    "schedule": "scheduler lrscheduler lrschedule lrdecay learningrateschedule",
    "l2": "alpha l2reg l2regularization regl2",
    "l1": "l1reg l1regularization regl1",
    "clip_norm": "clip gradclip gradientclipval maxgradnorm globalclipnorm",
    "epochs": "maxiter maxepochs numepochs niter",
    "batch_size": "batch minibatch minibatchsize",
    "weight_averaging": "ema useema emadecay swa",
    "scaling": "normalize normalization standardize",
    "missing": "impute",
    "validation_fraction": "valfraction valsize validationsize testsize",
    "metrics": "scoring",
    "time_budget": "timelimit timeout maxtime",
    "threads": "njobs nthreads numthreads numworkers",
    "seed": "randomstate randomseed",
    "verbose": "verbosity",
    "optimizer=SGD(momentum=...)": "momentum nesterov nesterovsmomentum",
    "optimizer=AdamW(weight_decay=...)": "weightdecay decay",
    "optimizer=Adam(beta1=..., beta2=...)": "betas beta1 beta2",
    "early_stopping=EarlyStopping(patience=...)": "patience niternochange",
    "epsilon": "eps",
    "restore_best": "restorebestweights",
    "best_only": "savebestonly",
    # values
    "softmax_cross_entropy": "crossentropy ce categoricalcrossentropy sparsecategoricalcrossentropy"
    " crossentropyloss nll nllloss logloss multiclass",
    "binary_cross_entropy": "bce bceloss bcewithlogits bcewithlogitsloss binarycrossentropy"
    " binarylogloss",
    "squared_error": "mse l2 mseloss l2loss meansquarederror squaredloss rmse",
    "absolute_error": "mae l1 l1loss maeloss meanabsoluteerror",
    "huber": "huberloss smoothl1 smoothl1loss",
    "quantile": "pinball pinballloss quantileloss quantiletransformer",
    "poisson": "poissonnll poissonnllloss poissonloss counts",
    "mse": "meansquarederror rmse squarederror",
    "mae": "meanabsoluteerror absoluteerror",
    "r2": "r2score rsquared",
    "accuracy": "acc accuracyscore",
    "balanced_accuracy": "balancedacc balancedaccuracyscore",
    "f1": "f1score",
    "roc_auc": "auc auroc rocaucscore",
    "log_loss": "crossentropy nll",
    "top_k": "top5 topkaccuracy topkcategoricalaccuracy",
    "identity": "linear none",
    "logistic": "sigmoid",
    "silu": "swish",
    "glorot_uniform": "xavier xavieruniform glorot",
    "glorot_normal": "xaviernormal",
    "he_uniform": "kaiming kaiminguniform he",
    "he_normal": "kaimingnormal",
    "lecun_normal": "lecun",
    "normal": "gaussian randomnormal",
    "sgd": "momentum nesterov",
    "constant": "none fixed",
    "step": "steplr",
    "exponential": "exponentiallr exponentialdecay",
    "cosine": "cosineannealing cosineannealinglr cosinedecay",
    "one_cycle": "onecyclelr",
    "inverse_scaling": "invscaling",
    "reduce_on_plateau": "plateau reducelronplateau adaptive",
    "standard": "zscore standardscaler standardize",
    "robust": "robustscaler",
    "max_abs": "minmax minmaxscaler maxabsscaler",
    "impute": "mean median simpleimputer",
    "error": "raise",
    "shuffled": "random",
    "stratified": "stratify",
}
_OTHERS = {name: frozenset(others.split()) for name, others in ALSO_CALLED.items()}


def same_name(got: str, known: Iterable[str]) -> str | None:
    """The known name that ``got`` is in other letter case or in another library, if any."""
    known, plain = list(known), _plain(got)
    found = (name for name in known if _plain(name) == plain)
    others = (
        name for name in _OTHERS if plain in _OTHERS[name] and name.partition("=")[0] in known
    )
    return next(found, None) or next(others, None)


def similar_name(got: str, known: Iterable[str], similarity: float) -> str | None:
    """The known name that ``got`` misspells, if any; ``similarity`` is that of difflib."""
    matches = difflib.get_close_matches(got.lower(), list(known), n=1, cutoff=similarity)
    return matches[0] if matches else None


def did_you_mean(got: Any, known: Iterable[str], similarity: float = 0.6) -> str:
    """The end of an error message for an unknown name: the one probably meant, or ""."""
    if not isinstance(got, str):
        return ""
    known = list(known)
    meant = same_name(got, known) or similar_name(got, known, similarity)
    return "" if meant is None else hint(meant)


def hint(meant: str) -> str:
    """The end of an error message that asks for ``meant``, a name or an assignment."""
    return f"; did you mean {meant if '=' in meant else repr(meant)}?"


def _plain(name: str) -> str:
    return name.lower().replace("_", "").replace("-", "").replace(" ", "")


class NamedFields:
    """Base of dataclasses whose errors for unknown keyword arguments name what was meant."""

    def __new__(cls: type[T], *args: Any, **arguments: Any) -> T:
        known = [item.name for item in fields(cls)]  # type: ignore[arg-type]
        for name in arguments:
            if name in known or _takes(cls, name):
                continue
            # The similarity of "validation_data" and "validation_split" is 0.77.
            if meant := did_you_mean(name, known, 0.8):
                what = f"{cls.__init__.__qualname__}() got an unexpected keyword argument {name!r}"
                raise TypeError(what + meant)
        return object.__new__(cls)


def _takes(cls: type, name: str) -> bool:
    """Whether the initializer of a class, perhaps a user's own, has a parameter of this name."""
    parameters = signature(cls.__init__).parameters  # type: ignore[misc]
    return name in parameters or any(
        parameter.kind is Parameter.VAR_KEYWORD for parameter in parameters.values()
    )
