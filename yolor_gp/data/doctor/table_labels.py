"""Labels of a format that a plugin reads, as far as a table of them can be examined."""

from __future__ import annotations

from yolor_gp.config.data_config import DataConfig, Split
from yolor_gp.data.doctor.labels import (
    LabelFacts,
    box_findings,
    count_object,
    repeated_objects,
)
from yolor_gp.data.doctor.report import error
from yolor_gp.data.labels.formats import read_registered
from yolor_gp.errors import UserError


def read_table_labels(config: DataConfig, split: Split) -> LabelFacts:
    """The labels of one part, every box looked at."""
    facts = LabelFacts()
    try:
        table, _ = read_registered(config, split)
    except UserError as problem:
        for line in problem.problems:
            where, _, detail = line.partition(": ")
            facts.findings.append(error("unreadable labels", where, detail or line, "correct them"))
        return facts
    facts.names = table.names
    for index in range(len(table)):
        path, size = table.path(index), table.size(index)
        facts.images[path] = size
        instances = table.instances(index)
        facts.figures.empty_images += not len(instances)
        boxes = []
        for box, label in zip(instances.boxes.tolist(), instances.labels.tolist(), strict=True):
            name, corners = table.names[label], (box[0], box[1], box[2], box[3])
            count_object(facts.figures, name, corners)
            facts.findings += box_findings(path, corners, size)
            boxes.append((name, corners))
        facts.findings += repeated_objects(path, boxes)
    return facts
