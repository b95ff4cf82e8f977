"""Two pictures shown through each other [Zhang et al. 2018], with the objects of both."""

from __future__ import annotations

import cv2

from yolor_gp.data.augment.scene import Picture
from yolor_gp.data.labels.instances import Instances, concatenate


def mixup(
    image: Picture, instances: Instances, other: Picture, others: Instances, share: float
) -> tuple[Picture, Instances]:
    """share * image + (1 - share) * other, both u8[H, W, 3]; all objects count fully."""
    mixed: Picture = cv2.addWeighted(image, share, other, 1 - share, 0)  # type: ignore[assignment]
    return mixed, concatenate((instances, others))
