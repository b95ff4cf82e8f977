"""A training of Ultralytics with its defaults, or its detections; a process of its own."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import pycocotools.mask
from ultralytics import YOLO


def main() -> int:
    """Train into FOLDER/run, or write detections by the best weights there."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("model", "data", "folder"):
        parser.add_argument(name)
    for name in ("img", "seed"):
        parser.add_argument(name, type=int)
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--predict", nargs=2, metavar=("IMAGES", "OUT"))
    options = parser.parse_args()
    folder = Path(options.folder).resolve()
    if options.predict is None:
        YOLO(options.model).train(
            data=options.data, epochs=options.epochs, imgsz=options.img, seed=options.seed,
            project=str(folder), name="run", exist_ok=True, plots=False,
        )  # fmt: skip
        return 0
    images, out = options.predict
    model = YOLO(folder / "run" / "weights" / "best.pt")
    rows = [row for image in json.loads(Path(images).read_text())
            for row in _found(model, options.img, *image)]  # fmt: skip
    Path(out).write_text(json.dumps(rows))
    return 0


def _found(
    model: Any, img: int, path: str, image_id: int, categories: list[int]
) -> list[dict[str, Any]]:
    """Detections of one image as its validation makes them, masks at the image's own size."""
    (result,) = model.predict(
        path, imgsz=img, conf=0.001, iou=0.7, max_det=300, retina_masks=True, verbose=False
    )
    rows = []
    for number, box in enumerate(result.boxes):
        left, top, right, bottom = box.xyxy[0].tolist()
        row = {"image_id": image_id, "category_id": categories[int(box.cls)],
               "bbox": [left, top, right - left, bottom - top],
               "score": float(box.conf)}  # fmt: skip
        if result.masks is not None:
            bitmap = result.masks.data[number].cpu().numpy().astype(np.uint8)
            found = pycocotools.mask.encode(np.asfortranarray(bitmap))
            row["segmentation"] = {"size": found["size"], "counts": found["counts"].decode()}
        rows.append(row)
    return rows


if __name__ == "__main__":
    raise SystemExit(main())
