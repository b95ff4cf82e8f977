"""An export format of one's own: the folded network by torch.export, in a zip with its words.

    python scripts/export_model.py best.pt --plugins examples/plugins/graph_export.py --format graph

`write` gets the graph, the description and where to; `open` gives the description and a function
from f32[B, 3, H, W] to the graph's outputs.
"""

from pathlib import Path

import torch

from yolor_gp.export.formats import Array, Format, Request, Session, register_format
from yolor_gp.export.graph import Description


def write(request: Request) -> None:
    """Save the graph of a fixed input."""
    example = request.graph.example(request.description.batch, request.description.size)
    program = torch.export.export(request.graph, (example,))
    torch.export.save(program, request.path, extra_files={"words": request.description.to_json()})


def open_graph(path: Path) -> tuple[Description, Session]:
    """Read it back; only for files of one's own."""
    words = {"words": ""}
    module = torch.export.load(path, extra_files=words).module()

    def run(images: Array) -> list[Array]:
        with torch.no_grad():
            return [part.numpy() for part in module(torch.from_numpy(images))]

    return Description.from_json(words["words"], path), run


register_format(Format("graph", ".pt2", ("float32",), write, open_graph, can_be_dynamic=False))
