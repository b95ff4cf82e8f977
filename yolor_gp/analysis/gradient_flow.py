"""Mean absolute gradient of every layer's weights, measured over a training [FLOW]."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from yolor_gp.analysis.paths.path_results import Intervals, LayerPaths, NetworkPaths
from yolor_gp.errors import UserError
from yolor_gp.files import write_json

_LAYERS = (nn.modules.conv._ConvNd, nn.Linear)


@dataclass(frozen=True)
class GradientRow:
    """Mean absolute gradient of the weights that make some output channels of a layer."""

    layer: str
    channels: Intervals
    mean_absolute_gradient: float


class GradientFlow:
    """Adds up |gradient| per output channel; call `on_gradients()` after each backward pass.

    Reads `weight.grad` of the convolutions and linear layers of `network` and changes nothing;
    sums stay on the weights' device, so that no step waits for them. With a scaled loss, call it
    after the gradients have been unscaled. Under data parallelism one process is enough.

    file: where `close` writes them.
    """

    def __init__(self, network: nn.Module, file: Path | None = None) -> None:
        self._file = file
        self._layers = {
            name: module for name, module in network.named_modules() if isinstance(module, _LAYERS)
        }
        self._sums: dict[str, Tensor] = {}
        self.updates = 0

    @torch.no_grad()
    def on_gradients(self) -> None:
        """Add the gradients that the weights hold now; a layer without one adds zero.

        Values that are not finite (a step that loss scaling will skip) add zero.
        """
        self.updates += 1
        for name, layer in self._layers.items():
            gradient = layer.weight.grad
            if gradient is None:
                continue
            by_channel = _per_output_channel(layer, gradient.detach().abs().float())
            by_channel = torch.where(torch.isfinite(by_channel), by_channel, 0.0)
            if name in self._sums:
                self._sums[name] += by_channel
            else:
                self._sums[name] = by_channel.clone()

    def channel_means(self) -> dict[str, list[float]]:
        """Layer name -> mean over updates, for each output channel."""
        steps = max(self.updates, 1)
        return {
            name: (
                (self._sums[name] / steps).tolist()
                if name in self._sums
                else [0.0] * _output_channels(layer)
            )
            for name, layer in self._layers.items()
        }

    def rows(self, paths: NetworkPaths | None = None) -> list[GradientRow]:
        """One row a layer; with `paths` one for each channel group of the static analysis."""
        return gradient_rows(self.channel_means(), paths)

    def state_dict(self) -> dict[str, Any]:
        """Everything, for a checkpoint."""
        sums = {name: values.cpu() for name, values in self._sums.items()}
        return {"updates": self.updates, "sums": sums}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """The inverse of `state_dict`."""
        self.updates = state["updates"]
        self._sums = {
            name: values.to(self._layers[name].weight.device)
            for name, values in state["sums"].items()
        }

    def save(self, path: Path) -> None:
        """Write `channel_means` as JSON, to be laid beside the static picture later."""
        content = {"updates": self.updates, "mean_absolute_gradient": self.channel_means()}
        write_json(path, content)

    def close(self) -> None:
        """The end of training: save them, where a file was named."""
        if self._file is not None:
            self.save(self._file)


def gradient_rows(
    means: Mapping[str, Sequence[float]], paths: NetworkPaths | None = None
) -> list[GradientRow]:
    """Channel means gathered into layers, or into the channel groups of `paths`.

    Raises:
        UserError: When they were measured on another network.
    """
    if paths is None:
        return [
            GradientRow(name, ((0, len(values)),), sum(values) / max(len(values), 1))
            for name, values in means.items()
        ]
    return [
        GradientRow(layer.layer.name, group.channels, _mean(means, layer, group.channels, paths))
        for layer in paths.layers
        for group in layer.groups
    ]


def measured_by_group(
    means: Mapping[str, Sequence[float]], paths: NetworkPaths
) -> dict[str, list[float]]:
    """Layer name -> mean absolute gradient of each of its channel groups."""
    found: dict[str, list[float]] = {}
    for row in gradient_rows(means, paths):
        found.setdefault(row.layer, []).append(row.mean_absolute_gradient)
    return found


def load_gradients(path: Path) -> dict[str, list[float]]:
    """Read what `GradientFlow.save` wrote.

    Raises:
        UserError: When the file cannot be read, or something else wrote it.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}); check the path") from None
    except ValueError:
        raise UserError(f"{path}: not JSON; expected the file that --log-gradients wrote") from None
    means = content.get("mean_absolute_gradient") if isinstance(content, dict) else None
    if not isinstance(means, dict) or not all(map(_is_list_of_numbers, means.values())):
        raise UserError(
            f"{path}: expected an object 'mean_absolute_gradient' of lists of numbers, as"
            " --log-gradients writes it"
        )
    return {str(name): [float(v) for v in values] for name, values in means.items()}


def _is_list_of_numbers(values: object) -> bool:
    return isinstance(values, list) and all(isinstance(value, int | float) for value in values)


def _mean(
    means: Mapping[str, Sequence[float]],
    layer: LayerPaths,
    channels: Intervals,
    paths: NetworkPaths,
) -> float:
    name = layer.layer.name.split("@")[0]
    values = means.get(name)
    if values is None or len(values) != layer.layer.out_channels:
        raise UserError(
            f"gradients of another network: {paths.graph.name} has a layer '{name}' with"
            f" {layer.layer.out_channels} output channels, the measurement"
            + (" has none of that name" if values is None else f" has {len(values)}")
            + "; name the model.yaml of the run that was measured"
        )
    inside = [value for start, stop in channels for value in values[start:stop]]
    return sum(inside) / len(inside)


def _per_output_channel(layer: nn.Module, gradient: Tensor) -> Tensor:
    if getattr(layer, "transposed", False):  # weight [in, out / groups, ...]
        groups = int(layer.groups)  # type: ignore[arg-type]
        split = gradient.reshape(groups, -1, *gradient.shape[1:])
        return split.transpose(1, 2).flatten(0, 1).flatten(1).mean(1)
    return gradient.flatten(1).mean(1)


def _output_channels(layer: nn.Module) -> int:
    count = layer.out_features if isinstance(layer, nn.Linear) else layer.out_channels
    assert isinstance(count, int)
    return count
