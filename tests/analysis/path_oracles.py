"""Other ways to count gradient paths, for tests: enumeration, autograd, and modular arithmetic."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

# --- random networks as a list of steps, runnable as a module -----------------------------------


@dataclass(frozen=True)
class Step:
    """One operation: name, indices of the earlier values it takes, and numbers."""

    operation: str
    inputs: tuple[int, ...]
    numbers: tuple[int, ...] = ()


class StepNetwork(nn.Module):
    """Runs steps on an image of one channel; value 0 is the image, step i gives value i + 1."""

    def __init__(self, steps: list[Step], channels: list[int], outputs: list[int]) -> None:
        super().__init__()
        self.steps, self.channels, self.outputs = steps, channels, outputs
        self.convolutions = nn.ModuleDict()
        for index, step in enumerate(steps):
            if step.operation == "conv":
                width, groups = step.numbers
                self.convolutions[str(index)] = nn.Conv2d(
                    channels[step.inputs[0]], width, 1, bias=False, groups=groups
                )

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        values = [image]
        for index, step in enumerate(self.steps):
            values.append(self._run(str(index), step, [values[i] for i in step.inputs]))
        return tuple(values[index] for index in self.outputs)

    def _run(self, name: str, step: Step, x: list[Tensor]) -> Tensor:
        if step.operation == "conv":
            result: Tensor = self.convolutions[name](x[0])
            return result
        if step.operation == "add":
            return x[0] + x[1]
        if step.operation == "masked_add":
            (kept,) = step.numbers
            return torch.cat([x[0][:, :kept] + x[1][:, :kept], x[0][:, kept:]], dim=1)
        if step.operation == "cat":
            return torch.cat(x, dim=1)
        if step.operation == "half":
            return torch.chunk(x[0], 2, dim=1)[step.numbers[0]]
        if step.operation == "narrow":
            return x[0].narrow(1, *step.numbers)
        if step.operation == "relu":
            return torch.relu(x[0])
        assert step.operation == "detach"
        return x[0].detach()


# --- brute force: walk every path ---------------------------------------------------------------

# (layer, part) or ("out", number): who takes a channel. Layers are step numbers here.
Taker = tuple[Any, int]


@dataclass
class Walks:
    """Per step with a convolution: lengths of all its paths, and of those to each channel."""

    by_layer: dict[int, Counter[int]] = field(default_factory=dict)
    by_channel: dict[tuple[int, int], Counter[int]] = field(default_factory=dict)


def enumerate_walks(network: StepNetwork) -> Walks:
    """Follow every channel back on its own, then every path of layers, one by one."""
    taken: dict[int, dict[Taker, Counter[int]]] = {}  # layer -> taker -> how often each channel
    for number, output in enumerate(network.outputs):
        for channel in range(network.channels[output]):
            _follow(network, output, channel, ("out", number), taken)
    for index in reversed(range(len(network.steps))):
        step = network.steps[index]
        if step.operation == "conv":
            for part, inputs in enumerate(_parts(network, index, taken)):
                for channel in inputs:
                    _follow(network, step.inputs[0], channel, (index, part), taken)

    walks = Walks()

    def lengths(layer: int, channels: list[int]) -> Counter[int]:
        found: Counter[int] = Counter()
        for taker, counts in taken.get(layer, {}).items():
            for _ in range(max(counts[channel] for channel in channels)):
                if taker[0] == "out":
                    found[1] += 1
                else:
                    groups = _groups_of_part(network, taker[0], taken)[taker[1]]
                    width, number = network.steps[taker[0]].numbers
                    members = [c for c in range(width) if c // (width // number) in groups]
                    for length, count in lengths(taker[0], members).items():
                        found[length + 1] += count
        return found

    for index, step in enumerate(network.steps):
        if step.operation == "conv":
            everything = list(range(step.numbers[0]))
            walks.by_layer[index] = lengths(index, everything)
            for channel in everything:
                walks.by_channel[index, channel] = lengths(index, [channel])
    return walks


def _groups_of_part(network: StepNetwork, index: int, taken: Any) -> list[list[int]]:
    """The groups of a convolution with equal takers, in the order of their first group."""
    width, number = network.steps[index].numbers
    alike: dict[tuple[Any, ...], list[int]] = {}
    for group in range(number):
        channels = range(group * (width // number), (group + 1) * (width // number))
        takers = taken.get(index, {})
        key = tuple((t, max(takers[t][c] for c in channels)) for t in sorted(takers, key=str))
        if any(count for _, count in key):
            alike.setdefault(key, []).append(group)
    return list(alike.values())


def _parts(network: StepNetwork, index: int, taken: Any) -> list[list[int]]:
    entering = network.channels[network.steps[index].inputs[0]]
    per_group = entering // network.steps[index].numbers[1]
    return [
        [c for c in range(entering) if c // per_group in groups]
        for groups in _groups_of_part(network, index, taken)
    ]


def _follow(network: StepNetwork, value: int, channel: int, taker: Taker, taken: Any) -> None:
    """Where one channel of a value comes from."""
    if value == 0:
        return
    step = network.steps[value - 1]
    widths = [network.channels[i] for i in step.inputs]
    sources: list[tuple[int, int]] = []
    if step.operation == "conv":
        taken.setdefault(value - 1, {}).setdefault(taker, Counter())[channel] += 1
    elif step.operation == "add":
        sources = [(step.inputs[0], channel), (step.inputs[1], channel)]
    elif step.operation == "masked_add":
        sources = [(step.inputs[0], channel)]
        if channel < step.numbers[0]:
            sources.append((step.inputs[1], channel))
    elif step.operation == "cat":
        first = channel < widths[0]
        sources = [(step.inputs[0 if first else 1], channel if first else channel - widths[0])]
    elif step.operation == "half":
        sources = [(step.inputs[0], channel + step.numbers[0] * ((widths[0] + 1) // 2))]
    elif step.operation == "narrow":
        sources = [(step.inputs[0], channel + step.numbers[0])]
    elif step.operation == "relu":
        sources = [(step.inputs[0], channel)]
    for source, origin in sources:
        _follow(network, source, origin, taker, taken)


# --- the polynomial check, by autograd ----------------------------------------------------------


def gradients_at(network: nn.Module, example: Tensor, z: float) -> dict[str, Tensor]:
    """Gradient at each convolution's output, all weights 1, multiplied by z in every layer."""
    network = network.double().eval()
    gradients: dict[str, Tensor] = {}

    def keep(name: str) -> Any:
        def hook(_: nn.Module, __: tuple[Tensor, ...], output: Tensor) -> Tensor:
            def multiply(gradient: Tensor) -> Tensor:
                gradients[name] = gradient * z
                return gradient * z

            if output.requires_grad:
                output.register_hook(multiply)
            return output

        return hook

    for name, module in network.named_modules():
        if isinstance(module, nn.Conv2d):
            # Only the middle of a kernel: at one position a path is then counted once.
            nn.init.zeros_(module.weight)
            middle = tuple(size // 2 for size in module.kernel_size)
            with torch.no_grad():
                module.weight[:, :, middle[0], middle[1]] = 1
            module.register_forward_hook(keep(name))
    outputs = network(example.double())
    outputs = outputs if isinstance(outputs, tuple) else (outputs,)
    trained = [output for output in outputs if output.requires_grad]
    if trained:
        torch.autograd.backward([output.sum() for output in trained])
    return gradients


# --- modular arithmetic, connections by autograd ------------------------------------------------

PRIME = (1 << 61) - 1


class _Cut(nn.Module):
    """In place of a layer: remembers its input and gives a fresh leaf, one cell in size."""

    def __init__(self, layer: nn.Module, order: list[_Cut]) -> None:
        super().__init__()
        self.linear = isinstance(layer, nn.Linear)
        self.groups = int(getattr(layer, "groups", 1))
        self.out = int(layer.out_features if self.linear else layer.out_channels)  # type: ignore[arg-type]
        self.order = order
        self.taken: Tensor
        self.given: Tensor
        # What a neighbour may ask a layer for.
        self.weight, self.bias = layer.weight, layer.bias
        self.out_channels = self.out

    def forward(self, x: Tensor) -> Tensor:
        self.taken = x
        shape = (x.shape[0], self.out) if self.linear else (x.shape[0], self.out, 1, 1)
        self.given = torch.ones(shape, requires_grad=True)
        self.order.append(self)
        return self.given * 1


_LAYERS = (nn.Conv2d, nn.ConvTranspose2d, nn.Linear)
_EACH_CHANNEL = (
    nn.modules.batchnorm._NormBase, nn.SiLU, nn.ReLU, nn.LeakyReLU, nn.MaxPool2d, nn.AvgPool2d,
    nn.Upsample, nn.Hardswish, nn.Sigmoid, nn.Dropout, nn.GELU, nn.Mish,
)  # fmt: skip


def evaluate_modulo(
    network: nn.Module, z: int, *, entry: str = "forward", channels: int = 3
) -> list[int]:
    """The path polynomial of every layer at z modulo a prime, in the order layers run.

    Independent of the analysis and of torch.fx: the network runs with every layer cut out and every
    map one cell in size; autograd then says how often each layer takes each channel of another.
    Changes the network.
    """
    order: list[_Cut] = []
    for name, module in list(network.named_modules()):
        if isinstance(module, (*_LAYERS, *_EACH_CHANNEL)):
            parent = network.get_submodule(name.rpartition(".")[0])
            new = _Cut(module, order) if isinstance(module, _LAYERS) else nn.Identity()
            setattr(parent, name.rpartition(".")[2], new)
    if any(parameter.is_meta for parameter in network.parameters()):
        network.to_empty(device="cpu")
        for parameter in network.parameters():  # what is left: implicit knowledge
            nn.init.ones_(parameter)
    outputs = _tensors_in(getattr(network, entry)(torch.ones(1, channels, 1, 1)))
    leaves = [cut.given for cut in order]
    # takers[layer]: (value modulo the prime, how often it takes each channel)
    takers: list[list[tuple[int, Tensor]]] = [[] for _ in order]
    values = [0] * len(order)

    def hand(tensor: Tensor, weight: Tensor, value: int) -> None:
        if tensor.requires_grad:
            found = torch.autograd.grad(
                tensor, leaves, weight, retain_graph=True, allow_unused=True
            )
            for layer, gradient in enumerate(found):
                if gradient is not None and gradient.any():
                    takers[layer].append((value, gradient.reshape(-1)))

    for tensor in outputs:
        hand(tensor, torch.ones_like(tensor), 1)
    for layer in reversed(range(len(order))):
        cut = order[layer]
        values[layer] = sum(v * int(often.max()) for v, often in takers[layer]) * z % PRIME
        parts: dict[tuple[int, ...], list[int]] = {}
        for group in range(cut.groups):
            inside = [often.reshape(cut.groups, -1)[group] for _, often in takers[layer]]
            parts.setdefault(tuple(int(each.max()) for each in inside), []).append(group)
        for often_by_taker, members in parts.items():
            value = sum(v * n for (v, _), n in zip(takers[layer], often_by_taker, strict=True))
            weight = torch.zeros_like(cut.taken)
            flat = weight.view(cut.groups, -1) if not cut.linear else weight.view(1, -1)
            flat[members] = 1
            hand(cut.taken, weight, value * z % PRIME)
    return values


def _tensors_in(output: Any) -> list[Tensor]:
    if isinstance(output, Tensor):
        return [output]
    if isinstance(output, dict):
        output = list(output.values())
    return [tensor for part in output for tensor in _tensors_in(part)]
