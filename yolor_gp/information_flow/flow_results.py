"""The figures of every layer, as JSON and as a table."""

from __future__ import annotations

import math
import re
from dataclasses import asdict, dataclass
from typing import Any

from yolor_gp.analysis.flow.receptive_field import in_words
from yolor_gp.ops.image_size import ImageSize

_PATHWAY = re.compile(r"(?:^|\.)(?:paths|pathways|branches)\.(\d+)(?:\.|$)")


@dataclass(frozen=True)
class LayerFlow:
    """One convolution or linear layer.

    Attributes:
        name: Of the module.
        pathway: Which of several parallel ones it belongs to, "" for none.
        channels: Of what it gives.
        probe: Accuracy of a logistic regression on what it gives, in 0..1.
        saturation: Share of its directions that hold 99% of the variance, in 0..1.
        cka_output: How alike it is to the output, in 0..1; None for detectors.
        sees: Receptive field of its input in pixels, infinite behind pooling; None: unknown.
        is_beyond: Whether that is more than the image, so that it is predicted unproductive.
        gradient: Mean absolute gradient over the training, where it was measured.
    """

    name: str
    pathway: str
    channels: int
    probe: float
    saturation: float
    cka_output: float | None
    sees: float | None
    is_beyond: bool | None
    gradient: float | None


@dataclass(frozen=True)
class FlowResult:
    """A network examined.

    Attributes:
        source: Its weights.
        is_classifier: Whether images were probed; else objects.
        size: Of the input.
        classes: Their number.
        samples: Images, or objects, that the probes were tested on.
        accuracy: Of the classifier on the test images, in 0..1; None for detectors.
        layers: In the order they run.
        cka: Of every pair of layers; None where one is constant.
    """

    source: str
    is_classifier: bool
    size: ImageSize
    classes: int
    samples: int
    accuracy: float | None
    layers: tuple[LayerFlow, ...]
    cka: list[list[float | None]]

    @property
    def border(self) -> LayerFlow | None:
        """The first layer whose input has seen more than the image."""
        return next((layer for layer in self.layers if layer.is_beyond), None)

    def to_json(self) -> dict[str, Any]:
        """Plain values; infinite fields as null beside `is_beyond`."""
        layers = []
        for layer in self.layers:
            values = asdict(layer)
            if layer.sees is not None and math.isinf(layer.sees):
                values["sees"] = None
            layers.append(values)
        return {
            "source": self.source,
            "task": "classification" if self.is_classifier else "detection",
            "size": self.size.plain,
            "classes": self.classes,
            "samples": self.samples,
            "accuracy": self.accuracy,
            "layers": layers,
            "cka": self.cka,
        }

    def table(self) -> str:
        """For people: a line a layer."""
        wide = max(len(layer.name) for layer in self.layers)
        lines = [f"{'layer':<{wide}} {'path':>4} {'sees':>6} {'probe':>7} {'satur.':>7} {'CKA':>6}"]
        for layer in self.layers:
            sees = "" if layer.sees is None else in_words(layer.sees)
            mark = "*" if layer.is_beyond else " "
            cka = "" if layer.cka_output is None else f"{layer.cka_output:.2f}"
            lines.append(
                f"{layer.name:<{wide}} {layer.pathway:>4} {sees:>5}{mark} {100 * layer.probe:6.1f}%"
                f" {100 * layer.saturation:6.1f}% {cka:>6}"
            )
        if self.accuracy is not None:
            lines.append(f"the network itself: {100 * self.accuracy:.1f}%")
        return "\n".join(lines)


def pathway_of(name: str) -> str:
    """The innermost number after `paths`, `pathways` or `branches` in a module's name."""
    found = _innermost(name)
    return "" if found is None else found[1]


def block_of(name: str) -> str:
    """What is before that number: the same for all pathways that run side by side."""
    found = _innermost(name)
    return "" if found is None else name[: found.start(1)].rstrip(".")


def _innermost(name: str) -> re.Match[str] | None:
    return next(reversed(list(_PATHWAY.finditer(name))), None)
