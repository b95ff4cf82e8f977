"""What layers give while a network runs, without changing the network."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd

LAYERS = (_ConvNd, nn.Linear)
"""A layer is a convolution or a linear module; what it gives is taken before normalisation."""


def layer_names(network: nn.Module) -> list[str]:
    """The layers of a network, in the order they stand in it."""
    return [name for name, module in network.named_modules() if isinstance(module, LAYERS)]


@contextmanager
def observed(
    network: nn.Module, names: Sequence[str], reduce: Callable[[Tensor], Any] = Tensor.detach
) -> Iterator[dict[str, Any]]:
    """Inside, every run of `network` puts what the layers `names` give into the dictionary.

    In the order they run; of a layer that runs twice, what it gives last. Hooks are always removed,
    and the network is in eval mode inside and as it was afterwards.

    Args:
        network: Run by whoever is inside.
        names: Of its layers.
        reduce: What is kept of an output, at once, so that not all need to be held together.

    Yields:
        Name -> what was kept of its output; filled anew by every run.
    """
    outputs: dict[str, Any] = {}
    was_training = [module.training for module in network.modules()]
    handles = [network.register_forward_pre_hook(lambda *_: outputs.clear())]
    handles += [network.get_submodule(name).register_forward_hook(_keep(outputs, name, reduce))
                for name in names]  # fmt: skip
    network.eval()
    try:
        yield outputs
    finally:
        for handle in handles:
            handle.remove()
        for module, mode in zip(network.modules(), was_training, strict=True):
            module.training = mode


def _keep(outputs: dict[str, Any], name: str, reduce: Callable[[Tensor], Any]) -> Any:
    def keep(module: nn.Module, given: tuple[Any, ...], output: Tensor) -> None:
        del module, given
        outputs.pop(name, None)
        outputs[name] = reduce(output.detach())

    return keep
