"""Other people's augmentations, which move pixels and labels alike: `augment.transforms`."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol, cast

import numpy as np
from numpy.random import Generator

from yolor_gp.config.registry import Registry
from yolor_gp.config.suggest import did_you_mean
from yolor_gp.data.augment.scene import Picture
from yolor_gp.data.labels.instances import Instances, clip_instances
from yolor_gp.errors import UserError, raise_problems


class Transform(Protocol):
    """A change of a training picture and its objects.

    Every random number must come from `generator`: then a resumed run sees what it would have
    seen, whatever the number of workers.
    """

    def __call__(
        self, generator: Generator, image: Picture, instances: Instances
    ) -> tuple[Picture, Instances]:
        """u8[H, W, 3] RGB and objects in its pixels -> the same, of the same size.

        What is handed in must not be changed in place. Objects may leave the picture: they are cut.
        """


_makers: Registry[Callable[..., Transform]] = Registry("transform")


def register_transform(name: str) -> Callable[[type], type]:
    """Enter a class under the name that `augment.transforms` then takes.

    Its constructor takes what the recipe writes: `transforms: [{name: {argument: value}}]`.

    Raises:
        ValueError: When the name is taken.
    """
    return cast(Callable[[type], type], _makers.register(name))


class Transforms:
    """Applies a list of transforms in order."""

    def __init__(self, entries: Sequence[Mapping[str, Mapping[str, Any]]]) -> None:
        """Make them.

        Raises:
            UserError: For unknown names and arguments, each with its place in the list.
        """
        problems: list[str] = []
        self._transforms: list[tuple[str, Transform]] = []
        for number, entry in enumerate(entries):
            for name, arguments in entry.items():
                where = f"augment.transforms[{number}]"
                problems += _problems(where, name, arguments)
                if not problems:
                    self._transforms.append((name, _made(where, name, arguments)))
        raise_problems(problems)

    def __call__(
        self, generator: Generator, image: Picture, instances: Instances
    ) -> tuple[Picture, Instances]:
        """u8[H, W, 3], objects -> the same; labels are cut to the picture.

        Raises:
            UserError: When a transform changes the size or the type of the picture.
        """
        height, width = image.shape[:2]
        for name, transform in self._transforms:
            shape = image.shape
            image, instances = transform(generator, image, instances)
            if image.shape != shape or image.dtype != np.uint8:
                raise UserError(
                    f"augment.transforms: {name} turned u8{list(shape)} into"
                    f" {image.dtype}{list(image.shape)}; size and type must stay"
                )
        return np.ascontiguousarray(image), clip_instances(instances, (0, 0, width, height))


def modules_of(entries: Iterable[Mapping[str, Any]]) -> list[str]:
    """The modules that a list's transforms come from, for processes that must import them too.

    Raises:
        UserError: For one that no other process can import.
    """
    modules = []
    for name in (name for entry in entries for name in entry):
        module = _makers.parts[name].__module__
        if module == "__main__":
            raise UserError(
                f"augment.transforms: {name} is defined in a notebook or program, which worker"
                " processes cannot import; put it into a module of its own, or use --workers 0"
            )
        modules.append(module)
    return modules


def _problems(where: str, name: str, arguments: Mapping[str, Any]) -> list[str]:
    if name not in _makers.parts:
        return [_makers.unknown(name, where)]
    accepted = [*inspect.signature(_makers.parts[name]).parameters]
    return [
        f"{where}: {name} has no argument '{key}'{did_you_mean(key, accepted)}"
        f" (known: {', '.join(accepted) or 'none'})"
        for key in arguments
        if key not in accepted
    ]


def _made(where: str, name: str, arguments: Mapping[str, Any]) -> Transform:
    try:
        return _makers.parts[name](**arguments)
    except (ValueError, TypeError) as error:
        reason = " ".join(str(error).split())
        raise UserError(f"{where}: {name} refuses its arguments: {reason}") from None
