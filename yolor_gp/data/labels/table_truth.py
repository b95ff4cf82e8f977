"""Labels as the COCO dictionary that the evaluator takes."""

from __future__ import annotations

from typing import Any

from yolor_gp.data.labels.annotation_table import AnnotationTable


def table_truth(table: AnnotationTable) -> dict[str, Any]:
    """The labels as a COCO dictionary, for the evaluator. Annotation ids begin with 1."""
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for index, image_id in enumerate(table.image_ids.tolist()):
        height, width = table.size(index)
        images.append(
            {"id": image_id, "file_name": table.path(index), "height": height, "width": width}
        )
        instances = table.instances(index)
        rings = instances.rings() if instances.has_rings else [[] for _ in range(len(instances))]
        areas = instances.areas().tolist()
        for box, label, area, outline in zip(
            instances.boxes.tolist(), instances.labels.tolist(), areas, rings, strict=True
        ):
            left, top, right, bottom = box
            annotation: dict[str, Any] = {
                "id": len(annotations) + 1,
                "image_id": image_id,
                "category_id": table.category_ids[label],
                "bbox": [left, top, right - left, bottom - top],
                "area": area,
                "iscrowd": 0,
            }
            if outline:
                annotation["segmentation"] = [ring.ravel().tolist() for ring in outline]
            annotations.append(annotation)
    categories = [
        {"id": key, "name": name} for key, name in zip(table.category_ids, table.names, strict=True)
    ]
    return {"info": {}, "images": images, "annotations": annotations, "categories": categories}
