"""`scripts/summarize_model.py`: layers, parameters and FLOPs of model files, without weights.

GFLOPs stand in the convention of the paper's tables (2 x multiply-adds of the convolutions, and 2
per element of nearest upsampling) and in that of torch's counter (convolutions only).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from yolor_gp.analysis.flow.field_table import field_table, prediction
from yolor_gp.analysis.flow.receptive_field import receptive_fields
from yolor_gp.analysis.paths.network_sources import open_network
from yolor_gp.commands.paper_table import markdown_table, paper_rows
from yolor_gp.config.shipped import shipped_files
from yolor_gp.errors import UserError
from yolor_gp.files import write_json
from yolor_gp.flags.summarize_model import parser
from yolor_gp.models.summary import (
    CLASSIFICATION_SIZE,
    DETECTION_SIZE,
    ModelSummary,
    summarize,
)
from yolor_gp.weights import read_model


def main(arguments: Sequence[str] | None = None) -> int:
    """Print summaries.

    Raises:
        UserError: When no model is named, or one is wrong.
    """
    options = parser().parse(arguments)
    if options.list + options.paper + bool(options.models) != 1:
        raise UserError(
            "summarize_model.py: give model files, --paper for all of the tables, or --list"
        )
    if options.list:
        print(_shipped())
        return 0
    if options.receptive_field:
        return _receptive_fields(options.models, options.size)
    if options.paper:
        figures = paper_rows()
        print(markdown_table(figures))
    else:
        figures = []
        for model in options.models:
            spec = read_model(model)
            if options.classes:
                spec = spec.with_classes(options.classes)
            summary = summarize(spec, options.size)
            print(summary)
            figures.append(_figures(summary))
    if options.json:
        write_json(options.json, figures, indent=1)
    return 0


def _shipped() -> str:
    folders: dict[str, list[str]] = {}
    for file in shipped_files("model"):
        folders.setdefault(f"cfg/{file.parent.name}", []).append(file.stem)
    return "\n".join(f"{folder}: {', '.join(names)}" for folder, names in folders.items())


def _receptive_fields(models: Sequence[str], size: int | None) -> int:
    for model in models:
        source = open_network(model)
        image = size or (
            DETECTION_SIZE if source.entry == "forward_levels" else CLASSIFICATION_SIZE
        )
        layers = receptive_fields(source)
        print(f"{source.name}\n{field_table(layers, image)}")
        print(prediction(layers, source.network, image))
    return 0


def _figures(summary: ModelSummary) -> dict[str, Any]:
    return {
        "name": summary.name,
        "params": summary.params,
        "gflops": summary.gflops,
        "gflops_conv": summary.gflops_conv,
    }
