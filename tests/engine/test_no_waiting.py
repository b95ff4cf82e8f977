"""A meta device has no values: looking at one, which on a GPU means waiting for it, is an error."""

from __future__ import annotations

import pytest
import torch

from tests.engine.detection_steps import batch, network, stepper
from yolor_gp.config.train_config import EmaConfig
from yolor_gp.engine.ema import ModelEMA
from yolor_gp.engine.precision import Precision

META = torch.device("meta")


@pytest.mark.parametrize("objects", [0, 5])
def test_gradients_and_the_average_need_no_look_at_a_number(objects: int) -> None:
    built = network(META)
    step = stepper(built, META, Precision("float32", "cpu"))
    step.accumulate(batch(objects), last=False)
    step.accumulate(batch(objects), last=True)
    assert all(parameter.grad is not None for parameter in built.parameters())
    ModelEMA(built, EmaConfig()).update()
