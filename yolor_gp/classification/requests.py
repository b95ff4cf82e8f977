"""A training of a classifier as flags say it, and the way from there to what it leaves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from yolor_gp.classification.train import train_classifier
from yolor_gp.config.classification_config import (
    ClassificationConfig,
    make_classification_config,
)
from yolor_gp.engine import requests
from yolor_gp.engine.requests import CLASSIFY_RUNS, RunFlags, TrainRequest
from yolor_gp.engine.runs import TrainingResult, carry_out
from yolor_gp.weights import Weights


def request_of(flags: Mapping[str, Any]) -> TrainRequest:
    """A request from flags by name.

    Raises:
        UserError: For names that are no flags.
    """
    return requests.request_of(flags, RunFlags.__annotations__, CLASSIFY_RUNS)


def train(request: TrainRequest, start: Weights | None = None) -> TrainingResult:
    """Train the classifier that `request` says; under torchrun every process calls it alike.

    start: weights in memory, which a new run begins from.

    Raises:
        UserError: For whatever is wrong with the request, the data or the model.
        LostPeerError: When another process of the run is gone.
    """
    return carry_out(
        request, ClassificationConfig, make_classification_config, train_classifier, start
    )
