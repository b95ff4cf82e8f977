"""A training of a detector as flags say it, and the way from there to what it leaves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from yolor_gp.config.run_config import RunConfig, make_run_config
from yolor_gp.detection.train import train_detector
from yolor_gp.engine import requests
from yolor_gp.engine.requests import RunFlags, TrainRequest
from yolor_gp.engine.runs import TrainingResult, carry_out
from yolor_gp.weights import Weights


class TrainFlags(RunFlags, total=False):
    """How to train, by the names of the flags; `train.py --help` explains them."""

    boxes_only: bool
    classes: Sequence[str | int]
    single_class: bool
    fraction: float
    anchors: Literal["auto", "keep"]
    cache: Literal["none", "ram"]


def request_of(flags: Mapping[str, Any]) -> TrainRequest:
    """A request from flags by name. Raises `UserError` for names that are no flags."""
    return requests.request_of(flags, TrainFlags.__annotations__)


def train(request: TrainRequest, start: Weights | None = None) -> TrainingResult:
    """Train the detector that `request` says; under torchrun every process calls it alike.

    start: weights in memory, which a new run begins from.

    Raises:
        UserError: For whatever is wrong with the request, the data or the model.
        LostPeerError: When another process of the run is gone.
    """
    return carry_out(request, RunConfig, make_run_config, train_detector, start)
