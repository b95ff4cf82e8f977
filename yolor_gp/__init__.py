"""Train, evaluate and explain YOLOR-style detectors with box and mask heads.

    import yolor_gp
    model = yolor_gp.load("runs/train/exp")
    for result in model.predict("images/"):
        print(result.names, result.boxes)

What takes long to import (torch, OpenCV) is imported when it is first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from yolor_gp.errors import UserError

if TYPE_CHECKING:
    from yolor_gp.check import check_dataset
    from yolor_gp.classifier import Classifier, load_classifier, resume_classifier
    from yolor_gp.model import Model, TrainedRun, load, resume
    from yolor_gp.plugins import load_plugins
    from yolor_gp.results import Predictions, Result
    from yolor_gp.structures.eval_result import EvalResult

__version__ = "0.1.0"

__all__ = [
    "Classifier", "EvalResult", "Model", "Predictions", "Result", "TrainedRun", "UserError",
    "check_dataset", "load", "load_classifier", "load_plugins", "resume",
    "resume_classifier",
]  # fmt: skip

_HOMES = {
    "Classifier": "yolor_gp.classifier",
    "EvalResult": "yolor_gp.structures.eval_result",
    "Model": "yolor_gp.model",
    "Predictions": "yolor_gp.results",
    "Result": "yolor_gp.results",
    "TrainedRun": "yolor_gp.model",
    "check_dataset": "yolor_gp.check",
    "load": "yolor_gp.model",
    "load_classifier": "yolor_gp.classifier",
    "load_plugins": "yolor_gp.plugins",
    "resume_classifier": "yolor_gp.classifier",
    "resume": "yolor_gp.model",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'yolor_gp' has no attribute '{name}'")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
