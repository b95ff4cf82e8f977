"""What the operations between weighted layers do with channels, by the name torch gives them.

Six kinds are enough (docs/gradient-paths.md, "Operations"):
- LAYER: a weight matrix; mixes its input channels (a grouped one within each group).
- ELEMENTWISE: position by position, with broadcasting; several inputs get the same gradient.
- SPATIAL: every channel for itself, with another height and width (pooling, upsampling, norms).
- REDUCE: a mean, sum or maximum over some dimensions; over positions only, never over channels.
- REARRANGE: copies values to other places (concatenation, split, slice, pad, view, permute).
- STOP: no gradient passes (detach, comparisons, sizes).
"""

from __future__ import annotations

from enum import Enum

from torch import fx, nn


class Kind(Enum):
    """What an operation does with channels."""

    LAYER = "layer"
    ELEMENTWISE = "elementwise"
    SPATIAL = "spatial"
    REDUCE = "reduce"
    REARRANGE = "rearrange"
    STOP = "stop"


_NAMES: dict[Kind, str] = {
    Kind.LAYER: "conv1d conv2d conv3d conv_transpose1d conv_transpose2d conv_transpose3d linear",
    Kind.ELEMENTWISE: (
        "add add_ iadd sub sub_ isub rsub mul mul_ imul multiply div div_ truediv itruediv pow"
        " maximum minimum where lerp addcmul neg abs exp log log1p sqrt rsqrt square reciprocal"
        " relu relu_ relu6 leaky_relu leaky_relu_ prelu rrelu elu selu celu silu gelu mish"
        " hardswish hardsigmoid hardtanh hardtanh_ sigmoid sigmoid_ tanh tanh_ softplus softsign"
        " logsigmoid tanhshrink threshold clamp clamp_ clip clamp_min clamp_max erf"
        " dropout dropout1d dropout2d dropout3d alpha_dropout feature_alpha_dropout"
        " stochastic_depth contiguous clone to float double half bfloat16 cpu cuda"
        " requires_grad_"
    ),
    Kind.SPATIAL: (
        "batch_norm instance_norm group_norm layer_norm local_response_norm rms_norm"
        " max_pool1d max_pool2d max_pool3d avg_pool1d avg_pool2d avg_pool3d lp_pool2d"
        " boolean_dispatch adaptive_avg_pool1d adaptive_avg_pool2d adaptive_avg_pool3d"
        " adaptive_max_pool1d adaptive_max_pool2d adaptive_max_pool3d"
        " interpolate upsample upsample_nearest upsample_bilinear"
    ),
    Kind.REDUCE: "mean sum amax amin",
    Kind.REARRANGE: (
        "cat concat concatenate stack chunk split split_with_sizes tensor_split hsplit vsplit"
        " unbind getitem narrow select pad view reshape flatten unflatten squeeze"
        " unsqueeze permute transpose swapaxes swapdims movedim t flip roll expand"
        " view_as reshape_as expand_as pixel_shuffle pixel_unshuffle channel_shuffle"
    ),
    Kind.STOP: (
        "detach detach_ size dim numel getattr eq ne lt le gt ge argmax argmin zeros_like ones_like"
        " empty_like full_like rand_like randn_like new_zeros new_ones new_full new_tensor"
        " new_empty floordiv mod type item shape"
    ),
}
_KIND_OF_NAME = {name: kind for kind, names in _NAMES.items() for name in names.split()}

_ACTIVATIONS = (
    "ReLU RReLU Hardtanh ReLU6 Sigmoid Hardsigmoid Tanh SiLU Mish Hardswish ELU CELU SELU GELU"
    " LeakyReLU LogSigmoid Softplus PReLU Softsign Tanhshrink Threshold"
)

# By the name of a class or base class, private bases of torch.nn included.
_KIND_OF_MODULE: tuple[tuple[Kind, tuple[str, ...]], ...] = (
    (Kind.LAYER, ("_ConvNd", "Linear")),
    (
        Kind.SPATIAL,
        (
            "_NormBase",
            "LayerNorm",
            "GroupNorm",
            "RMSNorm",
            "LocalResponseNorm",
            "_MaxPoolNd",
            "_AvgPoolNd",
            "_LPPoolNd",
            "_AdaptiveAvgPoolNd",
            "_AdaptiveMaxPoolNd",
            "Upsample",
        ),
    ),
    (
        Kind.ELEMENTWISE,
        (
            "Identity",
            "_DropoutNd",
            *_ACTIVATIONS.split(),
        ),
    ),
    (
        Kind.REARRANGE,
        (
            "Flatten",
            "Unflatten",
            "_ConstantPadNd",
            "_ReflectionPadNd",
            "_ReplicationPadNd",
            "PixelShuffle",
            "PixelUnshuffle",
            "ChannelShuffle",
        ),
    ),
)


def operation_name(node: fx.Node) -> str:
    """The name of the function or method of an operation, e.g. `cat`."""
    return str(getattr(node.target, "__name__", node.target)).rsplit(".", 1)[-1]


_IN_PLACE = {"iadd", "isub", "imul", "itruediv", "add_", "sub_", "mul_", "div_"}


def changes_in_place(node: fx.Node) -> bool:
    """Whether an operation of several tensors writes its result into the first."""
    return operation_name(node) in _IN_PLACE


def kind_of(node: fx.Node, module: nn.Module | None) -> Kind | None:
    """The kind of an operation (`module`: what a `call_module` runs); None when not known."""
    if module is None:
        return _KIND_OF_NAME.get(operation_name(node))
    bases = {base.__name__ for base in type(module).__mro__}
    for kind, names in _KIND_OF_MODULE:
        if not bases.isdisjoint(names):
            return kind
    return None
