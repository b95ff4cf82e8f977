"""`detect.py`: find objects in images, videos, cameras and streams; draw and list them."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from yolor_gp.commands.arguments import Arguments, fraction, one_of, whole_number
from yolor_gp.detection.runs import new_run_folder
from yolor_gp.detection.writers.coco_json import DatasetJson, ResultsJson
from yolor_gp.detection.writers.yolo_txt import write_detection_txt
from yolor_gp.engine.precision import PRECISIONS
from yolor_gp.files import check_writable
from yolor_gp.media.annotated_files import AnnotatedFiles, free_path
from yolor_gp.media.sources import open_source
from yolor_gp.model import load
from yolor_gp.results import Predictions, Result


def parser() -> Arguments:
    """Every flag of the command."""
    flags = Arguments(prog="detect.py", description=__doc__)
    add = flags.add_argument
    add("--weights", required=True, help="checkpoint of a training, or official weights")
    add("--source", required=True, help="image, folder, glob, list.txt, video, camera number, URL")
    add("--img", "--imgsz", "--img-size", dest="image_size", type=whole_number(32),
        help="side of the input in pixels (none: that of training, else 640)")  # fmt: skip
    add("--rectangular", action="store_true",
        help="pad to the next multiple of the stride instead of a square: faster, and not quite"
        " what validation sees")  # fmt: skip
    add("--confidence", "--conf-thres", type=fraction, default=0.25, help="least score kept")
    add("--iou", "--iou-thres", type=fraction, default=0.45, help="overlap above which NMS drops")
    add("--max-detections", type=whole_number(1), default=300, help="most detections an image")
    add("--classes", nargs="+", metavar="CLASS", help="names or numbers of classes to keep")
    add("--class-agnostic", action="store_true", help="boxes suppress those of other classes too")
    add("--batch-size", type=whole_number(1), help="images at once; by default as many as pay")
    add("--device", default="auto", help="auto, cpu, cuda or a GPU's number")
    add("--precision", type=one_of(*PRECISIONS), default="auto",
        help="number format; auto: half precision where the device computes it")  # fmt: skip
    add("--project", default="runs/detect", help="folder of all runs")
    add("--name", default="exp", help="folder of this run inside it; a taken name is numbered")
    add("--save-json", metavar="FILE", help="also write all detections in COCO's results format")
    add("--save-dataset", metavar="FILE",
        help="also write them as a COCO data set, to be corrected or trained on")  # fmt: skip
    add("--save-txt", action="store_true", help="also write YOLO label files into labels/")
    add("--save-confidence", action="store_true", help="with the score at the end of each line")
    add("--no-images", action="store_true", help="write no annotated images or videos")
    return flags


def main(arguments: Sequence[str] | None = None) -> int:
    """Detect. Raises `UserError` for what the user can mend."""
    options = parser().parse(arguments)
    open_source(options.source)  # what is wrong with it is told before the weights are read
    for file in (options.save_json, options.save_dataset):
        if file:
            check_writable(file)
    model = load(options.weights, device=options.device, precision=options.precision)
    results = model.predict(
        options.source,
        img=options.image_size,
        confidence=options.confidence,
        iou=options.iou,
        classes=options.classes,
        batch=options.batch_size,
        max_detections=options.max_detections,
        class_agnostic=options.class_agnostic,
        rectangular=options.rectangular,
    )
    files = DetectionFiles(
        new_run_folder(options.project, options.name),
        images=not options.no_images,
        results_file=options.save_json,
        dataset_file=options.save_dataset,
        txt=options.save_txt or options.save_confidence,
        txt_scores=options.save_confidence,
    )
    files.write(results, model.names)
    return 0


class DetectionFiles:
    """Everything that is written of results, and the line that is printed of each.

    folder: of pictures and labels; results_file, dataset_file: COCO JSON of either form; txt: YOLO
    label files (with scores when `txt_scores`).
    """

    def __init__(
        self,
        folder: Path,
        *,
        images: bool = True,
        results_file: str | Path | None = None,
        dataset_file: str | Path | None = None,
        txt: bool = False,
        txt_scores: bool = False,
    ) -> None:
        self._folder, self._txt_scores = folder, txt_scores
        self._results_file, self._dataset_file = results_file, dataset_file
        self._labels = folder / "labels" if txt else None
        self._pictures = AnnotatedFiles(folder) if images else None
        self._lists: list[ResultsJson] = []
        self._count, self._seconds, self._found = 0, 0.0, 0

    def write(self, results: Predictions, names: Sequence[str]) -> None:
        """Write every result. However it ends, the files written so far are whole."""
        started = time.perf_counter()
        if self._labels:
            self._labels.mkdir(exist_ok=True)
        with ExitStack() as open_files:
            open_files.callback(self._report, results, started)
            if self._pictures is not None:
                open_files.enter_context(self._pictures)
            for kind, file in (
                (ResultsJson, self._results_file),
                (DatasetJson, self._dataset_file),
            ):
                if file is not None:
                    self._lists.append(open_files.enter_context(kind(Path(file), names)))
            for result in results:
                self._write(result)
                self._print(result, results.total)

    def _write(self, result: Result) -> None:
        if self._pictures is not None:
            self._pictures.write(result.source, result.plot())
        for file in self._lists:
            file.write(result.path, result.detections, result.frame)
        if self._labels is not None:
            name = result.path
            if result.frame is not None:
                name = f"{Path(name.split('?')[0]).stem or 'stream'}_{result.frame:06d}.jpg"
            path = free_path(self._labels, name, ".txt")
            write_detection_txt(path, result.detections, with_score=self._txt_scores)

    def _print(self, result: Result, total: int | None) -> None:
        self._count += 1
        self._seconds += result.seconds
        self._found += len(result)
        place = f"{self._count}/{total}" if total else str(self._count)
        height, width = result.image.shape[:2]
        words, milliseconds = result.summary(), 1000 * result.seconds
        print(f"{place} {result.path} {width}x{height}: {words}, {milliseconds:.1f} ms")

    def _report(self, results: Predictions, started: float) -> None:
        for problem in results.skipped:
            print(f"skipped: {problem}", file=sys.stderr)
        if not self._count:
            return
        whole = time.perf_counter() - started
        skipped = f", {len(results.skipped)} unreadable" if results.skipped else ""
        print(
            f"{self._count} images{skipped}, {self._found} objects in {whole:.1f} s "
            f"({1000 * self._seconds / self._count:.1f} ms an image in the network, "
            f"{1000 * whole / self._count:.1f} ms with reading, drawing and writing)"
        )
        print(f"results in {self._folder}")
