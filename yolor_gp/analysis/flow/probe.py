"""How much of the answer a layer already holds: logistic regression on what it gives [Probes]."""

from __future__ import annotations

import warnings

import numpy as np
from numpy.typing import NDArray

from yolor_gp.errors import UserError

ITERATIONS = 300


def probe_accuracy(
    train: tuple[NDArray[np.float32], NDArray[np.int64]],
    test: tuple[NDArray[np.float32], NDArray[np.int64]],
) -> float:
    """The share of test samples that a multinomial logistic regression gets right, in 0..1.

    Coordinates are scaled to mean 0 and variance 1 of the training samples; scikit-learn's L-BFGS
    with its own regularisation (C = 1), at most 300 iterations. The same numbers give the same
    answer.

    Args:
        train: f32[N, D] and labels i64[N].
        test: Likewise.

    Raises:
        UserError: When scikit-learn is not installed, or there are not two classes to learn.
    """
    try:
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.linear_model import LogisticRegression
    except ImportError:
        raise UserError("probes need scikit-learn: pip install 'yolor_gp[flow]'") from None
    if len(np.unique(train[1])) < 2:
        raise UserError("probes need samples of at least two classes; name more images")
    mean, deviation = train[0].mean(0, dtype=np.float64), train[0].std(0, dtype=np.float64)
    deviation[deviation == 0] = 1
    model = LogisticRegression(max_iter=ITERATIONS)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # the limit is part of the definition
        model.fit(_scaled(train[0], mean, deviation), train[1])
    return float((model.predict(_scaled(test[0], mean, deviation)) == test[1]).mean())


def _scaled(
    values: NDArray[np.float32], mean: NDArray[np.float64], deviation: NDArray[np.float64]
) -> NDArray[np.float32]:
    scaled: NDArray[np.float32] = ((values - mean) / deviation).astype(np.float32)
    return scaled
