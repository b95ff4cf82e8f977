"""A network traced by torch.fx and run once on the meta device: every operation, every shape.

Nothing is allocated: parameters and buffers are replaced by meta tensors in a copy of the modules,
so a network of any size is read in the memory of its description.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, fx, nn
from torch.utils._pytree import tree_leaves

from yolor_gp.analysis.paths.operations import Kind, kind_of
from yolor_gp.errors import UserError


@dataclass(frozen=True)
class Trace:
    """Operations in the order they run, and what each gives (tensors without data, or numbers).

    network: the network itself, for the modules and buffers that operations name.
    """

    network: nn.Module
    nodes: tuple[fx.Node, ...]
    values: Mapping[fx.Node, Any]

    def module(self, node: fx.Node) -> nn.Module:
        """The module that a `call_module` operation runs."""
        return self.network.get_submodule(str(node.target))


def trace_network(network: nn.Module, example: Tensor, *, entry: str = "forward") -> Trace:
    """Trace `network` for `example` (only its shape and dtype count).

    entry: the method to trace, one that takes `example` and returns tensors in any nesting of
    tuples, lists and dicts. The network is read in the mode it is in (training or evaluation).

    Raises:
        UserError: When torch.fx cannot trace it, or it does not run on such an input.
    """
    tracer = fx.Tracer()
    tracer.traced_func_name = entry
    name = type(network).__name__
    try:
        graph = tracer.trace(network)
    except UserError:
        raise
    except Exception as error:  # whatever the network's own code raises on symbolic values
        raise UserError(
            f"{name}.{entry}: torch.fx cannot trace it ({_first_line(error)});"
            " expected a forward without control flow that depends on data"
        ) from error
    recorder = _Recorder(fx.GraphModule(_without_data(network), graph))
    try:
        with torch.no_grad():
            recorder.run(example.to("meta"))
    except Exception as error:  # shapes that do not fit, or an operation without a meta kernel
        raise UserError(
            f"{name}.{entry}: does not run on an input of shape {list(example.shape)}"
            f" ({_first_line(error)})"
        ) from error
    return Trace(network, tuple(recorder.values), recorder.values)


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def _without_data(network: nn.Module) -> nn.Module:
    """A copy whose parameters and buffers are meta tensors; the original data is never copied."""
    memo: dict[int, Any] = {}
    for parameter in network.parameters():
        memo[id(parameter)] = nn.Parameter(
            torch.empty_like(parameter, device="meta"), requires_grad=False
        )
    for buffer in network.buffers():
        memo[id(buffer)] = torch.empty_like(buffer, device="meta")
    return copy.deepcopy(network, memo)


class _Recorder(fx.Interpreter):
    """Runs a graph and keeps what every operation gave."""

    def __init__(self, module: fx.GraphModule) -> None:
        super().__init__(module)
        self.values: dict[fx.Node, Any] = {}

    def run_node(self, n: fx.Node) -> Any:
        result = self._by_shape(n)
        if result is None:
            result = super().run_node(n)
        self.values[n] = result
        return result

    def _by_shape(self, node: fx.Node) -> Tensor | None:
        """The result of an element-wise operation or a normalisation by its shape alone.

        Their meta kernels are written in Python and far slower than this.
        """
        module = self.fetch_attr(str(node.target)) if node.op == "call_module" else None
        if node.op not in ("call_function", "call_method", "call_module"):
            return None
        normalises = isinstance(module, nn.modules.batchnorm._NormBase)
        if kind_of(node, module) is not Kind.ELEMENTWISE and not normalises:
            return None
        arguments = self.map_nodes_to_values((node.args, node.kwargs), node)
        tensors = [leaf for leaf in tree_leaves(arguments) if isinstance(leaf, Tensor)]
        if not tensors:
            return None
        shape = np.broadcast_shapes(*(tuple(tensor.shape) for tensor in tensors))
        return torch.empty(shape, dtype=tensors[0].dtype, device="meta")
