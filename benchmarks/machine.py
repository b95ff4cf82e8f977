"""What the figures were measured on: class of machine and versions, no names."""

from __future__ import annotations

import os
import platform
from importlib import metadata

import cv2
import torch

PACKAGES = ("torch", "torchvision", "numpy", "hotcoco", "pycocotools", "ultralytics", "yolov5")


def describe(device: str) -> dict[str, str]:
    """Plain text by heading, for the head of a report."""
    facts = {
        "cpu": f"{os.cpu_count()} cores, {_instructions()}",
        "device": torch.cuda.get_device_name(device) if device.startswith("cuda") else "cpu",
        "python": platform.python_version(),
        "opencv": cv2.__version__,
    }
    return facts | {name: version for name in PACKAGES if (version := _version(name))}


def _instructions() -> str:
    able = torch.cpu.get_capabilities()
    if able.get("amx_bf16"):
        return "AVX-512 with AMX bfloat16"
    if able.get("avx512_bf16"):
        return "AVX-512 with bfloat16"
    return str(torch.backends.cpu.get_cpu_capability())


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None
