"""`--freeze`: which modules keep their weights."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase

from yolor_gp.errors import UserError
from yolor_gp.models.network import ClassifierNetwork, DetectionNetwork

BACKBONE = "backbone"
BOXES = "boxes"

Network = DetectionNetwork | ClassifierNetwork


def modules_to_freeze(network: Network, words: Sequence[str]) -> list[str]:
    """Names of modules that `words` mean, as `named_modules` gives them.

    A word is a number N (the first N layers of the model file), `backbone`, the name of a layer in
    the model file, a pattern over the names of modules (`head.levels*`, `layers.1?`), or `boxes`:
    all layers, so that only masks are learned (`AnchorHead.freeze_boxes` holds the head's rows).

    Raises:
        UserError: For words that mean nothing, and when nothing would be left to train.
    """
    found: dict[str, None] = {}
    if BOXES in words and not (isinstance(network, DetectionNetwork) and network.has_masks):
        raise UserError(f"--freeze {BOXES}: only masks would be trained, and there are none")
    for word in words:
        names = _meant(network, word)
        if not names:
            layers = [layer.name for layer in network.spec.layers if layer.name]
            raise UserError(
                f"--freeze {word}: no such layers; expected a number up to {len(network.layers)},"
                " 'backbone', 'boxes',"
                f" a pattern such as 'layers.3*', or one of {', '.join(layers)}"
            )
        found.update(dict.fromkeys(names))
    parameters = {name for name, _ in network.named_parameters()}
    if all(any(name.startswith(f"{module}.") for module in found) for name in parameters):
        raise UserError(f"--freeze {' '.join(words)}: leaves nothing to train")
    return list(found)


def _meant(network: Network, word: str) -> list[str]:
    layers = network.spec.layers
    if word.isdecimal():
        number = int(word)
        return [f"layers.{k}" for k in range(number)] if 0 < number <= len(network.layers) else []
    if word == BOXES:
        return [f"layers.{k}" for k in range(len(network.layers))]
    if word == BACKBONE:
        return [f"layers.{layer.index}" for layer in layers if layer.section == BACKBONE]
    named = [f"layers.{layer.index}" for layer in layers[:-1] if layer.name == word]
    return named or [name for name, _ in network.named_modules() if fnmatchcase(name, word)]
