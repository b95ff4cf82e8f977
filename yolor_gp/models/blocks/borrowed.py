"""Parts of the classifiers of torchvision and timm as blocks: other people's backbones.

A layer of a model file is the part of the network between two strides, so that necks and heads
read its maps like any other block's:

    - {block: TorchvisionBackbone, network: resnet18, stride: 8, name: c3}
    - {block: TorchvisionBackbone, network: resnet18, after: 8, stride: 16, name: c4}
    - {block: TorchvisionBackbone, network: resnet18, after: 16, stride: 32, name: c5}

The parts are torchvision's and timm's own modules, under their own names. Weights are fresh until
`load_pretrained` is called, which is done once, where a training or a fresh model begins: weights
of this project bring their own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Annotated, Any, ClassVar, Protocol, cast

import safetensors.torch
import torch
from pydantic import Field
from torch import Tensor, nn

from yolor_gp.config.suggest import did_you_mean
from yolor_gp.errors import UserError
from yolor_gp.models.blocks.registry import Block, register

Stride = Annotated[int, Field(ge=1, le=64)]
Steps = list[tuple[str, nn.Module]]
Weights = Mapping[str, Tensor]

_IMAGENET_MEAN = (0.485, 0.456, 0.406)
_IMAGENET_STD = (0.229, 0.224, 0.225)
_SIDE = 256
"""Side of the image that is sent through to find the strides."""
_CONTAINERS = ("features", "stem", "trunk_output", "layers")
_CLASSIFIERS = ("avgpool", "classifier", "fc", "head")
"""Children of torchvision's classifiers: those that hold a sequence, and where the maps end."""


class Source(Protocol):
    """Where networks come from: their parts in order, and their weights by the parts' names."""

    def steps(self, network: str) -> Steps: ...  # noqa: D102
    def normalisation(self, network: str) -> tuple[tuple[float, ...], tuple[float, ...]]: ...  # noqa: D102
    def weights(self, network: str, file: str | None) -> Weights: ...  # noqa: D102


class Borrowed(Block):
    """The part of a network that turns maps of stride `after` into maps of `stride`.

    The first part (`after: 1`) takes images in 0..1 and normalises them as the network's authors
    did. pretrained: false, true for the published weights (the only thing that downloads), or the
    name of a file of them (.safetensors or a state dictionary).
    """

    widths: ClassVar[tuple[str, ...]] = ()
    source: ClassVar[Source]
    mean: Tensor
    std: Tensor

    def __init__(
        self,
        in_channels: int,
        network: str,
        stride: Stride,
        after: Stride = 1,
        pretrained: bool | str = False,
    ) -> None:
        super().__init__()
        self.network, self.pretrained = network, pretrained
        chosen, self.out_channels = _between(self.source, network, after, stride)
        self.step_names = tuple(name for name, _ in chosen)
        self.steps = nn.Sequential(*(step for _, step in chosen))
        first = next(part for part in self.steps.modules() if isinstance(part, nn.Conv2d))
        if after == 1 and in_channels != first.in_channels:
            raise ValueError(f"{network} takes images of 3 channels, found {in_channels}")
        mean, std = self.source.normalisation(network) if after == 1 else ((0.0,), (1.0,))
        self.register_buffer("mean", torch.tensor(mean)[:, None, None], persistent=False)
        self.register_buffer("std", torch.tensor(std)[:, None, None], persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """[B, in_channels, h, w] -> [B, out_channels, h * after / stride, w * after / stride]."""
        return cast(Tensor, self.steps((x - self.mean) / self.std))

    def load_pretrained(self) -> str | None:
        """Take the weights that `pretrained` names; what was taken, in words, or None.

        Raises:
            UserError: When they cannot be had or do not fit.
        """
        if not self.pretrained:
            return None
        file = self.pretrained if isinstance(self.pretrained, str) else None
        weights = self.source.weights(self.network, file)
        for name, step in zip(self.step_names, self.steps, strict=True):
            prefix = f"{name}."
            own = {k.removeprefix(prefix): v for k, v in weights.items() if k.startswith(prefix)}
            try:
                step.load_state_dict(own)
            except RuntimeError as error:
                reason = " ".join(str(error).split())[:200]
                raise UserError(
                    f"{file or self.network}: does not fit {self.network}: {reason}"
                ) from None
        return f"{self.network} of {file or 'its authors'}"


def load_pretrained(network: nn.Module) -> tuple[str, ...]:
    """Give borrowed parts of a network the weights that its model file asks for.

    Returns:
        What was taken, in words, each once.

    Raises:
        UserError: When weights cannot be had or do not fit.
    """
    taken = [part.load_pretrained() for part in network.modules() if isinstance(part, Borrowed)]
    return tuple(dict.fromkeys(words for words in taken if words is not None))


class _Torchvision:
    """Classifiers of torchvision whose parts run one after the other, all but the transformers."""

    def steps(self, network: str) -> Steps:
        """Children up to the classifier, sequences opened.

        Raises:
            ValueError: When the network is unknown.
        """
        import torchvision

        known = torchvision.models.list_models(module=torchvision.models)
        if network not in known:
            raise ValueError(f"unknown network '{network}'{did_you_mean(network, known)}")
        found: Steps = []
        made = _made(lambda: torchvision.models.get_model(network, weights=None))
        for name, child in made.named_children():
            if name in _CLASSIFIERS:
                break
            inner = child.named_children() if name in _CONTAINERS else ()
            found += [(f"{name}.{part}", module) for part, module in inner] or [(name, child)]
        return found

    def normalisation(self, network: str) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """ImageNet's, which all of torchvision's classifiers take."""
        del network
        return _IMAGENET_MEAN, _IMAGENET_STD

    def weights(self, network: str, file: str | None) -> Weights:
        """Of a file, or downloaded by torchvision.

        Raises:
            UserError: When they cannot be had.
        """
        return _read_state(file) if file is not None else _downloaded(network)


class _Timm:
    """Networks of timm (extra `timm`) as it opens them for features."""

    def steps(self, network: str) -> Steps:
        """The modules of timm's feature list.

        Raises:
            ValueError: When the network is unknown, or is no chain of parts.
        """
        timm = _timm()
        if network not in timm.list_models():
            raise ValueError(
                f"unknown network '{network}'{did_you_mean(network, timm.list_models())}"
            )
        made = _made(lambda: timm.create_model(network, features_only=True, pretrained=False))
        if not isinstance(made, timm.models.FeatureListNet):
            raise ValueError(f"{network} does not run its parts one after the other")
        return list(made.named_children())

    def normalisation(self, network: str) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """As timm states for the network."""
        config = _timm().get_pretrained_cfg(network)
        return tuple(config.mean), tuple(config.std)

    def weights(self, network: str, file: str | None) -> Weights:
        """Of a file, or downloaded by timm.

        Raises:
            UserError: When they cannot be had.
        """
        overlay = {} if file is None else {"pretrained_cfg_overlay": {"file": file}}
        try:
            made = _timm().create_model(network, features_only=True, pretrained=True, **overlay)
        except (OSError, RuntimeError) as error:
            raise UserError(_unavailable(network, file, error)) from None
        return cast(Weights, made.state_dict())


@register("TorchvisionBackbone")
class TorchvisionBackbone(Borrowed):
    """Part of a classifier of torchvision (BSD-3), between two strides."""

    source = _Torchvision()


@register("TimmBackbone")
class TimmBackbone(Borrowed):
    """Part of a network of timm (Apache-2.0; `pip install yolor_gp[timm]`), between two strides."""

    source = _Timm()


def _made(make: Callable[[], nn.Module]) -> nn.Module:
    """What `make` gives, on the device that is asked for; some compute on the CPU as they begin."""
    device = torch.get_default_device()
    with torch.device("cpu"):
        return make().to(device)


def _between(source: Source, network: str, after: int, stride: int) -> tuple[Steps, int]:
    """The steps from stride `after` to `stride`, and the channels that the last one gives.

    Raises:
        ValueError: When there are none, with the strides that there are.
    """
    reached = _strides(type(source), network)
    ends = {now: index + 1 for index, (now, _) in enumerate(reached)}  # the last step at a stride
    begin, end = (0 if after == 1 else ends.get(after)), ends.get(stride)
    if begin is None or end is None or begin >= end:
        raise ValueError(f"{network} has maps of stride {', '.join(map(str, ends))}")
    return source.steps(network)[begin:end], reached[end - 1][1]


@cache
def _strides(kind: Callable[[], Source], network: str) -> tuple[tuple[int, int], ...]:
    """Stride and channels after every step.

    Raises:
        ValueError: When the network is no chain of parts on maps.
    """
    reached: list[tuple[int, int]] = []
    with torch.device("meta"), torch.no_grad():
        x = torch.empty(1, 3, _SIDE, _SIDE)
        for _, step in kind().steps(network):
            try:
                x = step.eval()(x)
            except (RuntimeError, TypeError, ValueError, AssertionError):
                break
            if not isinstance(x, Tensor) or x.ndim != 4 or _is_no_map(x):
                break
            reached.append((_SIDE // x.shape[2], x.shape[1]))
        else:
            return tuple(reached)
    raise ValueError(
        f"{network} does not run its parts one after the other on maps [B, C, h, w] whose sides"
        f" divide {_SIDE}"
    )


def _is_no_map(x: Tensor) -> bool:
    return x.shape[2] != x.shape[3] or _SIDE % x.shape[2] != 0


def _read_state(file: str) -> Weights:
    try:
        if Path(file).suffix == ".safetensors":
            return safetensors.torch.load_file(file)
        state = torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:
        raise UserError(
            f"{file}: cannot be read as weights ({type(error).__name__}); a .safetensors file or a"
            " state dictionary saved by torch is expected"
        ) from None
    if not isinstance(state, dict) or not all(isinstance(v, Tensor) for v in state.values()):
        raise UserError(f"{file}: is no state dictionary: tensors by name are expected")
    return state


@cache
def _downloaded(network: str) -> Weights:
    import torchvision

    try:
        return cast(Weights, torchvision.models.get_model(network, weights="DEFAULT").state_dict())
    except (OSError, RuntimeError) as error:
        raise UserError(_unavailable(network, None, error)) from None


def _unavailable(network: str, file: str | None, error: Exception) -> str:
    reason = (str(error).strip() or type(error).__name__).splitlines()[0]
    return (
        f"{file or network}: its weights cannot be had: {reason}; name a file of them as"
        " `pretrained`, or begin without"
    )


def _timm() -> Any:
    try:
        import timm
    except ImportError:
        raise ValueError("needs timm: pip install 'yolor_gp[timm]'") from None
    return timm
