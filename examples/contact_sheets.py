"""Makes small objects of ordinary ones: pictures of a COCO data set side by side on large sheets.

    python examples/contact_sheets.py ANNOTATIONS IMAGES FOLDER --columns 4 --rows 3

FOLDER gets the sheets, their annotations and sheets.yaml, which val.py takes. Nothing is scaled: a
cell has the size of the largest picture, the rest of it is grey.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from pycocotools import mask as coco_mask

GREY = 114


def moved(
    annotation: dict[str, Any], left: int, top: int, sheet: tuple[int, int]
) -> dict[str, Any]:
    """The annotation of an object that lies `left`, `top` pixels further on a sheet (h, w)."""
    x, y, width, height = annotation["bbox"]
    outline = annotation["segmentation"]
    if isinstance(outline, list):
        shift = np.array([left, top])
        outline = [(np.reshape(ring, (-1, 2)) + shift).ravel().tolist() for ring in outline]
    else:
        outline = placed(outline, left, top, sheet)
    return {**annotation, "bbox": [x + left, y + top, width, height], "segmentation": outline}


def placed(outline: dict[str, Any], left: int, top: int, sheet: tuple[int, int]) -> dict[str, Any]:
    """Run lengths of a picture as run lengths of the sheet."""
    rows, columns = outline["size"]
    runs = outline
    if isinstance(runs["counts"], list):
        runs = coco_mask.frPyObjects(outline, rows, columns)
    whole = np.zeros(sheet, np.uint8, order="F")
    whole[top : top + rows, left : left + columns] = coco_mask.decode(runs)
    found = coco_mask.encode(whole)
    return {"size": list(sheet), "counts": found["counts"].decode("ascii")}


def main() -> None:
    """Write the sheets."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("annotations", type=Path)
    parser.add_argument("images", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--columns", type=int, default=4)
    parser.add_argument("--rows", type=int, default=3)
    options = parser.parse_args()

    truth = json.loads(options.annotations.read_text(encoding="utf-8"))
    cell_height = max(image["height"] for image in truth["images"])
    cell_width = max(image["width"] for image in truth["images"])
    size = (cell_height * options.rows, cell_width * options.columns)
    a_sheet = options.rows * options.columns
    (options.folder / "images").mkdir(parents=True, exist_ok=True)
    images, places = [], {}
    for first in range(0, len(truth["images"]), a_sheet):
        sheet = np.full((*size, 3), GREY, np.uint8)
        number = first // a_sheet + 1
        for cell, image in enumerate(truth["images"][first : first + a_sheet]):
            top = cell // options.columns * cell_height
            left = cell % options.columns * cell_width
            picture = cv2.imread(str(options.images / image["file_name"]))
            sheet[top : top + image["height"], left : left + image["width"]] = picture
            places[image["id"]] = (number, left, top)
        name = f"sheet{number:03d}.jpg"
        cv2.imwrite(str(options.folder / "images" / name), sheet, [cv2.IMWRITE_JPEG_QUALITY, 95])
        images.append({"id": number, "file_name": name, "height": size[0], "width": size[1]})
    annotations = []
    for annotation in truth["annotations"]:
        sheet_number, left, top = places[annotation["image_id"]]
        annotations.append({**moved(annotation, left, top, size), "image_id": sheet_number})
    found = {"images": images, "annotations": annotations, "categories": truth["categories"]}
    (options.folder / "sheets.json").write_text(json.dumps(found), encoding="utf-8")
    (options.folder / "sheets.yaml").write_text(
        "val: images\nannotations: {val: sheets.json}\n", encoding="utf-8"
    )
    print(f"wrote {options.folder / 'sheets.yaml'}: {len(images)} sheets of {size[1]}x{size[0]}")


if __name__ == "__main__":
    main()
