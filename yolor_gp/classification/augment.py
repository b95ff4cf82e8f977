"""Random changes of training images, and the fixed look of validation (torchvision.transforms.v2).

torchvision draws from torch's own generator. Each image is changed with that generator set to a
seed made of (run, epoch, position), and put back afterwards: neither the number of workers nor a
resume changes what is seen, nor does the data change what the network draws. The library is loaded
where it is used, for that takes two seconds.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from yolor_gp.config.classification_config import ClassAugmentConfig

if TYPE_CHECKING:
    from torchvision.transforms import v2


@contextmanager
def seeded(*key: int) -> Iterator[None]:
    """Around code that draws from torch's generator of the CPU; what it was comes back.

    Yields:
        Nothing.
    """
    generator = torch.default_generator
    before = generator.get_state()
    generator.manual_seed(int(np.random.SeedSequence(key).generate_state(1, np.uint64)[0]))
    try:
        yield
    finally:
        generator.set_state(before)


def training_transform(config: ClassAugmentConfig, size: int) -> v2.Compose:
    """u8[3, H, W] of any size -> u8[3, size, size], changed at random."""
    from torchvision.transforms import v2

    steps: list[v2.Transform] = []
    if config.crop == "resized":
        steps.append(v2.RandomResizedCrop(size, (config.smallest_crop, 1.0), antialias=True))
    else:
        steps.append(v2.Resize(size, antialias=True))
        padding = round(size * config.padding)
        padded = v2.RandomCrop(size, padding or None, pad_if_needed=True)
        steps.append(padded if config.crop == "padded" else v2.CenterCrop(size))
    if config.flip_left_right:
        steps.append(v2.RandomHorizontalFlip(config.flip_left_right))
    if config.rand_operations:
        steps.append(v2.RandAugment(config.rand_operations, config.rand_magnitude))
    if config.jitter:
        steps.append(v2.ColorJitter(config.jitter, config.jitter, config.jitter))
    if config.erase:
        steps.append(v2.RandomErasing(config.erase))
    return v2.Compose(steps)


def validation_transform(size: int, crop: float) -> v2.Compose:
    """u8[3, H, W] of any size -> u8[3, size, size]: the middle square.

    crop: its side as a share of the shorter side of the image.
    """
    from torchvision.transforms import v2

    return v2.Compose([v2.Resize(round(size / crop), antialias=True), v2.CenterCrop(size)])


def batch_transform(config: ClassAugmentConfig, classes: int) -> v2.Transform | None:
    """Mixup, CutMix, or one of them drawn for each batch; None where neither is asked for.

    f32[B, 3, H, W] and labels i64[B] -> the same mixed and f32[B, classes].
    """
    from torchvision.transforms import v2

    mixes: list[v2.Transform] = []
    if config.mixup:
        mixes.append(v2.MixUp(alpha=config.mixup, num_classes=classes))
    if config.cutmix:
        mixes.append(v2.CutMix(alpha=config.cutmix, num_classes=classes))
    return v2.RandomChoice(mixes) if mixes else None


def applied(transform: Any, picture: NDArray[np.uint8]) -> Tensor:
    """u8[H, W, 3] -> u8[3, size, size] by one of the transforms above."""
    pixels = torch.from_numpy(np.ascontiguousarray(picture.transpose(2, 0, 1)))
    changed: Tensor = transform(pixels)
    return changed
