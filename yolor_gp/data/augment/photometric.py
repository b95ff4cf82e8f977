"""A list of the user's own colour transforms, by their names in albumentations (MIT, 2.0.8)."""

from __future__ import annotations

import inspect
import os
import threading
from collections.abc import Mapping, Sequence
from importlib import metadata
from typing import Any

import numpy as np
from numpy.random import Generator

from yolor_gp.config.suggest import did_you_mean
from yolor_gp.data.augment.scene import Picture
from yolor_gp.errors import UserError, raise_problems


class Photometric:
    """Applies `transforms`, [{name: {argument: value}}, ...], in order.

    Only transforms that leave pixels where they are. Raises `UserError` for unknown names and
    arguments, and when the package installed is AlbumentationsX, whose licence (AGPL) differs.
    """

    def __init__(self, transforms: Sequence[Mapping[str, Mapping[str, Any]]]) -> None:
        self._transforms = transforms
        self._local = threading.local()  # transforms hold their random state
        _build(transforms)

    def __call__(self, generator: Generator, image: Picture) -> Picture:
        """u8[H, W, 3] -> u8[H, W, 3]. Draws one number, from which all others come.

        Raises:
            UserError: When the user's list changes the size or the type of the picture.
        """
        seed = int(generator.integers(2**31))
        if not hasattr(self._local, "pipeline"):
            self._local.pipeline = _build(self._transforms)
        self._local.pipeline.set_random_seed(seed)
        changed = self._local.pipeline(image=image)["image"]
        if changed.shape != image.shape or changed.dtype != np.uint8:
            raise UserError(
                f"albumentations: the list turned u8{list(image.shape)} into"
                f" {changed.dtype}{list(changed.shape)}; leave out what changes size or type"
            )
        return np.ascontiguousarray(changed)


def _build(transforms: Sequence[Mapping[str, Mapping[str, Any]]]) -> Any:
    albumentations = _import_albumentations()
    image_only = albumentations.ImageOnlyTransform
    known = {
        name: value
        for name, value in vars(albumentations).items()
        if inspect.isclass(value) and issubclass(value, albumentations.BasicTransform)
    }
    colour_names = sorted(name for name, value in known.items() if issubclass(value, image_only))
    built, problems = [], []
    for number, entry in enumerate(transforms):
        for name, arguments in entry.items():
            where = f"augment.albumentations[{number}]"
            if name not in known:
                problems.append(f"{where}: unknown transform '{name}'{did_you_mean(name, known)}")
            elif name not in colour_names:
                problems.append(
                    f"{where}: '{name}' moves pixels, and labels would stay behind; use rotate,"
                    " scale, shear, translate, perspective and flip_... instead"
                )
            else:
                accepted = [*inspect.signature(known[name].__init__).parameters][1:]
                unknown = [key for key in arguments if key not in accepted]
                problems += [
                    f"{where}: {name} has no argument '{key}'{did_you_mean(key, accepted)}"
                    f" (known: {', '.join(accepted)})"
                    for key in unknown
                ]
                if not unknown:
                    built.append(_construct(where, known[name], arguments, problems))
    raise_problems(problems)
    return albumentations.Compose(built)


def _construct(
    where: str, transform: Any, arguments: Mapping[str, Any], problems: list[str]
) -> Any:
    values = {
        key: tuple(value) if isinstance(value, list) else value for key, value in arguments.items()
    }
    try:
        return transform(**values)
    except (ValueError, TypeError) as error:
        reason = " ".join(str(error).split())
        problems.append(f"{where}: {transform.__name__} refuses its arguments: {reason}")
        return None


def _import_albumentations() -> Any:
    try:
        version = metadata.version("albumentationsx")
    except metadata.PackageNotFoundError:
        pass
    else:
        raise UserError(
            f"albumentations: AlbumentationsX {version} is installed, which is AGPL licensed and"
            " takes the place of albumentations (MIT); uninstall it and install"
            " 'albumentations==2.0.8', or leave 'augment.albumentations' empty"
        )
    # It asks a server for newer versions when it is imported, unless told not to.
    os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")
    try:
        import albumentations
    except ImportError:
        raise UserError(
            "albumentations: not installed; install 'albumentations==2.0.8', or leave"
            " 'augment.albumentations' empty"
        ) from None
    return albumentations
