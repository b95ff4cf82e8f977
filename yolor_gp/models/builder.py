"""A model file's network, built after the whole file has been checked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch

import yolor_gp.models.blocks  # noqa: F401
import yolor_gp.models.heads  # noqa: F401  (both enter what model files may name)
from yolor_gp.config.model_spec import ModelSpec
from yolor_gp.errors import UserError
from yolor_gp.models.heads.classifier import Classifier
from yolor_gp.models.heads.detection_head import DetectionHead
from yolor_gp.models.network import ClassifierNetwork, DetectionNetwork
from yolor_gp.models.plan import check_image_size, max_stride, plan_network
from yolor_gp.ops.image_size import AnySize


def check_model(spec: ModelSpec, image_size: AnySize | None = None) -> None:
    """Check the whole file without building, and that it takes images of `image_size`.

    Raises:
        UserError: With every problem of the file, or with the sizes that would do.
    """
    plans = plan_network(spec)
    if image_size is not None:
        check_image_size(image_size, max_stride(plans))


def without_masks(spec: ModelSpec) -> ModelSpec:
    """The same network without its mask branch; `spec` itself where it has none.

    Raises:
        UserError: With every problem of the file.
    """
    if not plan_network(spec)[-1].bound.arguments.get("masks"):
        return spec
    head = spec.layers[-1]
    head = replace(head, arguments={**head.arguments, "masks": 0})
    return replace(spec, layers=(*spec.layers[:-1], head))


def build_network(
    spec: ModelSpec,
    *,
    device: str | torch.device = "cpu",
    names: Sequence[str] | None = None,
) -> DetectionNetwork | ClassifierNetwork:
    """Build the network of `spec` on `device`, in training mode, with fresh weights.

    names: of the classes; "class 0", ... when absent.

    Raises:
        UserError: With every problem of the file, before anything is built.
    """
    plans = plan_network(spec)
    with torch.device(device):
        *layers, head = [plan.construct() for plan in plans]
    sources = [plan.sources for plan in plans]
    if isinstance(head, DetectionHead):
        class_names = _class_names(names, head.num_classes, spec)
        return DetectionNetwork(spec, layers, sources, head, class_names, max_stride(plans))
    assert isinstance(head, Classifier)
    class_names = _class_names(names, head.num_classes, spec)
    return ClassifierNetwork(spec, layers, sources, head, class_names)


def _class_names(names: Sequence[str] | None, number: int, spec: ModelSpec) -> tuple[str, ...]:
    if names is None:
        return tuple(f"class {i}" for i in range(number))
    if len(names) != number:
        raise UserError(
            f"{spec.file}: the network has {number} classes, but {len(names)} names are given;"
            " make `nc` the number of names"
        )
    return tuple(names)
