"""Two passes over the images, then a probe for each layer; what is done is not done again."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d
from torchvision.ops import roi_align
from tqdm import tqdm

from yolor_gp.analysis.flow.cka import MinibatchCKA, rounded, small_maps
from yolor_gp.analysis.flow.observed import layer_names, observed
from yolor_gp.analysis.flow.probe import probe_accuracy
from yolor_gp.analysis.flow.receptive_field import LayerField, receptive_fields
from yolor_gp.analysis.flow.saturation import Covariance, samples_of
from yolor_gp.analysis.paths.network_sources import network_of_spec
from yolor_gp.errors import UserError
from yolor_gp.information_flow.examined import Batch, Examined, Part
from yolor_gp.information_flow.flow_results import FlowResult, LayerFlow, pathway_of
from yolor_gp.information_flow.kept import Kept, key_of

_CELLS = 256
"""Of an image, that count for the covariance; of larger maps a regular grid."""


@dataclass(frozen=True)
class Statistics:
    """What the first pass leaves beside features.

    Attributes:
        layers: In the order they run.
        channels: Of each.
        saturation: Of each.
        cka: f64[L + 1, L + 1] with the output last for a classifier, else f64[L, L].
    """

    layers: list[str]
    channels: list[int]
    saturation: list[float]
    cka: list[list[float | None]]


def examine(
    examined: Examined,
    folder: Path,
    *,
    pool: int = 1,
    gradients: dict[str, list[float]] | None = None,
    quiet: bool = True,
) -> FlowResult:
    """Probe every layer; what was done in `folder` by the same words is not done again.

    Args:
        examined: The network and its data.
        folder: For features, which are removed at the end, and results.
        pool: Cells a side that maps are averaged to before they are probed.
        gradients: Mean absolute gradients of a training by layer, where they were measured.
        quiet: Whether no progress is shown.

    Raises:
        UserError: When the folder cannot be written, or the data are too few to learn from.
    """
    folder.mkdir(parents=True, exist_ok=True)
    known = Kept(folder / "progress.json", key_of(examined, pool))
    if "statistics" not in known.values:
        known.keep("statistics", vars(_first_pass(examined, folder, pool, quiet)))
    if "tested" not in known.values:
        known.keep("tested", _second_pass(examined, folder, pool, quiet))
    statistics = Statistics(**known.values["statistics"])
    for name in tqdm(statistics.layers, "probes", disable=quiet):
        if f"probe {name}" not in known.values:
            train, test = (_features(folder, part, name) for part in ("train", "test"))
            known.keep(f"probe {name}", probe_accuracy(train, test))
    shutil.rmtree(folder / "features", ignore_errors=True)
    probes = [known.values[f"probe {name}"] for name in statistics.layers]
    return _result(examined, statistics, probes, known.values["tested"], gradients or {})


def _result(
    examined: Examined,
    found: Statistics,
    probes: Sequence[float],
    tested: Sequence[int],
    gradients: dict[str, list[float]],
) -> FlowResult:
    fields = _fields(examined)
    side = max(examined.size)
    layers = []
    for index, name in enumerate(found.layers):
        field, measured = fields.get(name), gradients.get(name)
        layers.append(LayerFlow(
            name=name,
            pathway=pathway_of(name),
            channels=found.channels[index],
            probe=probes[index],
            saturation=found.saturation[index],
            cka_output=found.cka[index][-1] if examined.is_classifier else None,
            sees=None if field is None else field.sees,
            is_beyond=None if field is None else field.is_beyond(side),
            gradient=None if not measured else float(np.mean(measured)),
        ))  # fmt: skip
    cka = [row[: len(layers)] for row in found.cka[: len(layers)]]
    samples, right = tested
    return FlowResult(
        examined.source, examined.is_classifier, examined.size, len(examined.names), samples,
        right / samples if examined.is_classifier else None, tuple(layers), cka,
    )  # fmt: skip


def _fields(examined: Examined) -> dict[str, LayerField]:
    """By name; {} where the network cannot be followed."""
    try:
        found = receptive_fields(network_of_spec(examined.spec, examined.source))
    except UserError:
        return {}
    return {field.name: field for field in found}


def _first_pass(examined: Examined, folder: Path, pool: int, quiet: bool) -> Statistics:
    covariance: dict[str, Covariance] = {}
    cka = MinibatchCKA()
    layers: list[str] = []
    for _, seen, logits in _run(examined, folder, "train", pool, quiet):
        layers = list(seen)
        for name, layer in seen.items():
            covariance.setdefault(name, Covariance()).add(layer.samples)
        compared = [layer.small for layer in seen.values()]
        cka.add(compared if logits is None else [*compared, logits])
    if not layers:
        raise UserError("no images to examine; name more with --images")
    return Statistics(
        layers,
        [int(covariance[name].matrix().shape[0]) for name in layers],
        [covariance[name].saturation() for name in layers],
        rounded(cka.matrix()),
    )


def _second_pass(examined: Examined, folder: Path, pool: int, quiet: bool) -> tuple[int, int]:
    """How many samples the test images hold, and how many of them a classifier gets right.

    Raises:
        UserError: When there are none.
    """
    samples, right = 0, 0
    for batch, _, logits in _run(examined, folder, "test", pool, quiet):
        samples += len(batch.labels)
        if logits is not None:
            right += int((logits.argmax(1).cpu() == batch.labels).sum())
    if not samples:
        raise UserError("no test images to examine; name more with --images")
    return samples, right


@dataclass(frozen=True)
class _Seen:
    """What is kept of the output of a layer: for probes, for the covariance, for CKA."""

    pooled: Tensor
    samples: Tensor
    small: Tensor


@torch.no_grad()
def _run(
    examined: Examined, folder: Path, part: Part, pool: int, quiet: bool
) -> Iterator[tuple[Batch, dict[str, _Seen], Tensor | None]]:
    """Run a part through the network, writing features of every layer.

    Yields:
        The batch, what the layers give, by name, and the logits of a classifier.
    """
    place = folder / "features" / part
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    network, labels = examined.network, []
    current: list[Batch] = []

    def reduced(output: Tensor) -> _Seen:
        pooled = _pooled(output, current[0], pool)
        return _Seen(pooled, samples_of(output, _CELLS), small_maps(output))

    with observed(network, layer_names(network), reduced) as seen:
        for batch in tqdm(examined.batches(part), part, disable=quiet):
            current[:] = [batch]
            logits = examined.see(batch)
            for name, layer in seen.items():
                with (place / f"{name}.f32").open("ab") as file:
                    file.write(layer.pooled.cpu().numpy().tobytes())
            labels.append(batch.labels.numpy())
            yield batch, seen, logits
    np.save(place / "labels.npy", np.concatenate(labels) if labels else np.zeros(0, np.int64))


def _pooled(output: Tensor, batch: Batch, pool: int) -> Tensor:
    """f32[n, D]: of images, or of the objects in them."""
    if output.dim() == 2:
        return output.float()
    if batch.regions is None:
        return adaptive_avg_pool2d(output.float(), pool).flatten(1)
    scale = output.shape[-1] / batch.images.shape[-1]
    regions = batch.regions.to(output.device)
    found: Tensor = roi_align(output.float(), regions, pool, scale, 2, aligned=True)
    return found.flatten(1)


def _features(folder: Path, part: Part, name: str) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    place = folder / "features" / part
    labels: NDArray[np.int64] = np.load(place / "labels.npy", allow_pickle=False)
    values = np.fromfile(place / f"{name}.f32", np.float32)
    return values.reshape(len(labels), -1), labels
