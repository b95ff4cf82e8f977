"""The definitions, on networks small enough to check by hand (docs/gradient-paths.md)."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from yolor_gp.analysis.paths.gradient_paths import analyse
from yolor_gp.analysis.paths.graph import read_graph
from yolor_gp.analysis.paths.path_results import LayerPaths, NetworkPaths
from yolor_gp.analysis.paths.reference_networks import AggregationNetwork, ResidualNetwork
from yolor_gp.errors import UserError

IMAGE = torch.empty(2, 3, 8, 8)


def paths_of(network: nn.Module) -> NetworkPaths:
    return analyse(read_graph(network, IMAGE))


def by_name(network: nn.Module) -> dict[str, LayerPaths]:
    return {paths.layer.name: paths for paths in paths_of(network).layers}


def test_a_plain_chain_has_one_path_as_long_as_the_way_to_the_loss() -> None:
    layers = paths_of(AggregationNetwork("PlainNet", 3)).layers
    assert [dict(layer.paths_by_length) for layer in layers] == [
        {5: 1},
        {4: 1},
        {3: 1},
        {2: 1},
        {1: 1},
    ]


def test_residual_blocks_multiply_paths_binomially() -> None:
    paths = by_name(ResidualNetwork(3))
    assert dict(paths["stem"].paths_by_length) == {2: 1, 3: 3, 4: 3, 5: 1}
    assert dict(paths["blocks.0.0"].paths_by_length) == {2: 1, 3: 2, 4: 1}
    assert dict(paths["output"].paths_by_length) == {1: 1}
    assert (paths["stem"].shortest, paths["stem"].longest) == (2, 5)


def test_a_masked_residual_gives_half_of_the_channels_other_timestamps() -> None:
    stem = by_name(ResidualNetwork(3, masked=0.5))["stem"]
    kept, masked = stem.groups
    assert (kept.channels, masked.channels) == (((0, 2),), ((2, 4),))
    assert kept.timestamps == (2, 3, 4, 5)
    # The masked half is taken by the first block alone, which is two or more layers from the loss.
    assert masked.timestamps == (3, 4, 5)
    assert dict(masked.paths_by_length) == {3: 1, 4: 2, 5: 1}
    assert stem.combinations == 2


def test_addition_shares_a_source_and_concatenation_slices_it() -> None:
    class Both(nn.Module):
        def __init__(self, join: str) -> None:
            super().__init__()
            self.join = join
            self.a, self.b = nn.Conv2d(3, 2, 1), nn.Conv2d(3, 2, 1)
            self.last = nn.Conv2d(4 if join == "concat" else 2, 1, 1)

        def forward(self, x: Tensor) -> Tensor:
            a, b = self.a(x), self.b(x)
            joined = torch.cat([a, b], 1) if self.join == "concat" else a + b
            result: Tensor = self.last(joined)
            return result

    added, concatenated = paths_of(Both("add")), paths_of(Both("concat"))
    (a,), (b,) = added.layers[0].groups, added.layers[1].groups
    assert a.combination == b.combination == {(2, 2, None, ((0, 2),))}
    (a,), (b,) = concatenated.layers[0].groups, concatenated.layers[1].groups
    assert a.combination == {(2, 2, None, ((0, 2),))}
    assert b.combination == {(2, 2, None, ((2, 4),))}
    assert (added.total.combinations, concatenated.total.combinations) == (2, 3)


def test_dense_layers_are_two_steps_from_the_loss() -> None:
    paths = by_name(AggregationNetwork("DenseNet", 3))
    assert dict(paths["stem"].paths_by_length) == {2: 1, 3: 3, 4: 3, 5: 1}
    assert {layer.shortest for layer in paths.values()} == {1, 2}


def test_sources_at_a_timestamp() -> None:
    paths = paths_of(ResidualNetwork(2))
    names = [layer.layer.name for layer in paths.layers]
    (group,) = paths.layers[0].groups
    found = {
        t: {names[s.layer] for s in group.sources_at(t) if s.layer is not None}
        for t in group.timestamps
    }
    assert found == {
        2: {"output"},
        3: {"blocks.0.0", "blocks.1.0"},
        4: {"blocks.0.0"},
    }


def test_detach_stops_gradient_but_not_the_blocks_own_weights() -> None:
    class Stopped(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.stem, self.block, self.last = (nn.Conv2d(3, 3, 1) for _ in range(3))

        def forward(self, x: Tensor) -> Tensor:
            y = self.stem(x)
            result: Tensor = self.last(y + self.block(y.detach()))
            return result

    paths = by_name(Stopped())
    assert dict(paths["stem"].paths_by_length) == {2: 1}
    assert dict(paths["block"].paths_by_length) == {2: 1}


def test_an_unreached_layer_has_no_paths() -> None:
    class Unused(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b = nn.Conv2d(3, 3, 1), nn.Conv2d(3, 3, 1)

        def forward(self, x: Tensor) -> Tensor:
            result: Tensor = self.b(self.a(x).detach())
            return result

    paths = by_name(Unused())
    assert paths["a"].shortest is None and paths["a"].combinations == 0
    assert paths["b"].shortest == 1


def test_a_shared_layer_counts_once_for_each_use() -> None:
    class Shared(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(3, 3, 1)

        def forward(self, x: Tensor) -> Tensor:
            result: Tensor = self.conv(self.conv(x))
            return result

    assert [(n, p.shortest) for n, p in by_name(Shared()).items()] == [("conv", 2), ("conv@2", 1)]


class Mask(nn.Module):
    """PRN's mask written as a product with a constant buffer."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.block, self.last = (nn.Conv2d(c, 4, 1) for c in (3, 4, 4))
        self.register_buffer("mask", torch.tensor([1.0, 1, 0, 0]).view(1, 4, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        y = self.stem(x)
        result: Tensor = self.last(self.block(y) + y * self.mask)
        return result


def test_a_mask_of_zeros_is_read() -> None:
    first, second = by_name(Mask())["stem"].groups
    assert (first.timestamps, second.timestamps) == ((2, 3), (3,))


def test_a_mask_without_values_is_refused() -> None:
    with pytest.raises(UserError, match="buffer 'mask'"):
        read_graph(Mask().to("meta"), IMAGE)


class Reshaped(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv, self.head = nn.Conv2d(3, 4, 1), nn.Linear(2 * 8 * 8, 5)

    def forward(self, x: Tensor) -> Tensor:
        half = self.conv(x).chunk(2, dim=1)[1]
        result: Tensor = self.head(half.flatten(1))
        return result


def test_a_view_before_the_classifier_keeps_channels_apart() -> None:
    unused, used = by_name(Reshaped())["conv"].groups
    assert (unused.timestamps, used.timestamps) == ((), (2,))
    assert used.channels == ((2, 4),)


def test_a_channel_shuffle_is_followed_exactly() -> None:
    class Shuffled(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.last = nn.Conv2d(3, 4, 1), nn.Conv2d(2, 1, 1)

        def forward(self, x: Tensor) -> Tensor:
            y = self.conv(x)
            b, c, h, w = y.shape
            y = y.view(b, 2, c // 2, h, w).transpose(1, 2).reshape(b, c, h, w)
            result: Tensor = self.last(y[:, :2])
            return result

    used, unused = by_name(Shuffled())["conv"].groups
    assert (used.channels, unused.channels) == (((0, 1), (2, 3)), ((1, 2), (3, 4)))
    assert (used.timestamps, unused.timestamps) == ((2,), ())


def test_a_grouped_convolution_whose_groups_part_is_followed_group_by_group() -> None:
    class Grouped(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.stem, self.each = nn.Conv2d(3, 4, 1), nn.Conv2d(4, 4, 3, padding=1, groups=4)
            self.deep, self.last = nn.Conv2d(2, 2, 1), nn.Conv2d(4, 1, 1)

        def forward(self, x: Tensor) -> Tensor:
            a, b = self.each(self.stem(x)).split(2, dim=1)
            result: Tensor = self.last(torch.cat([a, self.deep(b)], 1))
            return result

    paths = by_name(Grouped())
    assert [group.timestamps for group in paths["each"].groups] == [(2,), (3,)]
    assert [group.timestamps for group in paths["stem"].groups] == [(3,), (4,)]
    assert dict(paths["stem"].paths_by_length) == {3: 1, 4: 1}


def test_what_cannot_be_read_is_named() -> None:
    class Sorted(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(3, 4, 1)

        def forward(self, x: Tensor) -> Tensor:
            return torch.cumsum(self.conv(x), 1)

    with pytest.raises(UserError, match=r"Sorted: .*'cumsum' \(node cumsum\)"):
        read_graph(Sorted(), IMAGE)


def test_mixing_channels_without_a_weight_is_refused() -> None:
    class ChannelMean(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(3, 4, 1)

        def forward(self, x: Tensor) -> Tensor:
            y = self.conv(x)
            result: Tensor = y * y.mean(1, keepdim=True)
            return result

    with pytest.raises(UserError, match="mixes channels without a weight"):
        read_graph(ChannelMean(), IMAGE)


class Using(nn.Module):
    """A convolution, and a function of its output (and of a second one) before the last layer."""

    def __init__(self, use: Callable[[Tensor, Tensor], Tensor], channels: int = 4) -> None:
        super().__init__()
        self.use = use
        self.a, self.b = nn.Conv2d(3, 4, 1), nn.Conv2d(3, 4, 1)
        self.last = nn.Conv2d(channels, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.last(self.use(self.a(x), self.b(x)))
        return result


def assign(a: Tensor, b: Tensor) -> Tensor:
    a[:, :2] = b[:, :2]
    return a


def add_in_place(a: Tensor, b: Tensor) -> Tensor:
    a.add_(b)
    return a


@pytest.mark.parametrize(
    ("use", "message"),
    [
        (assign, "item assignment"),
        (add_in_place, "'add_' .*changes a tensor that is used again"),
        (lambda a, b: a.max(dim=1, keepdim=True)[0] + b, "'max' .*not known"),
        (lambda a, b: torch.cat(a.chunk(2, 1), 1) + b, "'cat' .*all parts of a split at once"),
        (lambda a, b: a.mT + b, "attribute 'mT'"),
        (lambda a, b: torch.softmax(a, 1) + b, "'softmax' .*not known"),
        (lambda a, b: nn.functional.conv2d(a, b.mean((0, 2, 3)).view(4, 1, 1, 1), groups=4),
         "its weight is computed"),
    ],
)  # fmt: skip
def test_nothing_is_left_out_in_silence(
    use: Callable[[Tensor, Tensor], Tensor], message: str
) -> None:
    with pytest.raises(UserError, match=message):
        read_graph(Using(use), IMAGE)


@pytest.mark.parametrize(
    ("use", "channels", "groups"),
    [
        (lambda a, b: nn.functional.pad(a, (1, 1, 1, 1))[:, :, 1:-1, 1:-1] + b, 4, 1),
        (lambda a, b: nn.functional.pad(a[:, :2], (0, 0, 0, 0, 0, 2)) + b, 4, 2),
        (lambda a, b: torch.cat([a, a + b], 1), 8, 1),
        (lambda a, b: a.add_(b), 4, 1),
        (lambda a, b: a * torch.sigmoid(b.mean((2, 3), keepdim=True)), 4, 1),
        (lambda a, b: a.permute(0, 2, 3, 1).contiguous().permute(0, 3, 1, 2) + b, 4, 1),
        (lambda a, b: nn.functional.pixel_unshuffle(a[:, 1:2], 2), 4, 2),
    ],
)
def test_what_moves_or_joins_channels_is_followed(
    use: Callable[[Tensor, Tensor], Tensor], channels: int, groups: int
) -> None:
    a = by_name(Using(use, channels))["a"]
    assert len(a.groups) == groups
    assert (a.shortest, a.longest) == (2, 2)


def test_zero_padding_before_a_convolution_changes_nothing() -> None:
    network = nn.Sequential(nn.Conv2d(3, 1, 1), nn.ZeroPad2d(1), nn.Conv2d(1, 2, 3))
    assert [layer.shortest for layer in paths_of(network).layers] == [2, 1]


def test_control_flow_on_data_is_refused() -> None:
    class Choosing(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x if x.sum() > 0 else -x

    with pytest.raises(UserError, match=r"Choosing\.forward: torch\.fx cannot trace it"):
        read_graph(Choosing(), IMAGE)


def test_a_wrong_input_shape_is_refused() -> None:
    with pytest.raises(UserError, match=r"does not run on an input of shape \[2, 5, 8, 8\]"):
        read_graph(nn.Conv2d(3, 4, 1), torch.empty(2, 5, 8, 8))


def test_reading_leaves_the_network_as_it_was() -> None:
    network = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4)).train()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    read_graph(network, IMAGE)
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())
    assert all(parameter.requires_grad for parameter in network.parameters())
