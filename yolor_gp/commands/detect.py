"""`detect.py`: find objects in images, videos, cameras and streams; draw and list them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from yolor_gp.commands.arguments import (
    Arguments,
    add_image_size,
    add_views,
    fraction,
    one_of,
    whole_number,
)
from yolor_gp.commands.detection_files import DetectionFiles
from yolor_gp.detection.tracking import TRACKERS
from yolor_gp.detection.views import Views
from yolor_gp.engine.precision import PRECISIONS
from yolor_gp.engine.runs import run_folder
from yolor_gp.errors import UserError
from yolor_gp.files import check_writable
from yolor_gp.media.sources import open_source
from yolor_gp.model import load_detector
from yolor_gp.visualize.draw import DrawingStyle


def parser() -> Arguments:
    """Every flag of the command."""
    flags = Arguments("detect.py", description=__doc__)
    add = flags.add_argument
    add("--weights", required=True, nargs="+", metavar="FILE",
        help="run folder, .pt, .safetensors, .weights; several work together")  # fmt: skip
    add("--cfg", metavar="FILE", help="of Darknet's .weights, where it is not beside them")
    add("--source", required=True, help="image, folder, glob, list.txt, video, camera number, URL")
    add_image_size(flags, "none: that of training, else 640")
    add("--rectangular", action="store_true",
        help="pad to the next multiple of the stride instead of a square: faster, and not quite"
        " what validation sees")  # fmt: skip
    add(
        "--confidence",
        type=fraction,
        help="least score kept (none: what val.py --store-thresholds stored, else 0.25)",
    )
    add("--iou", type=fraction, default=0.45, help="overlap above which NMS drops")
    add(
        "--max-detections",
        type=whole_number(1),
        default=300,
        help="most detections an image",
    )
    add("--classes", nargs="+", metavar="CLASS", help="names or numbers of classes to keep")
    add(
        "--class-agnostic",
        action="store_true",
        help="boxes suppress those of other classes too",
    )
    add(
        "--batch-size",
        type=whole_number(1),
        help="images at once; by default as many as pay",
    )
    add("--device", default="auto", help="auto, cpu, cuda or a GPU's number")
    add("--precision", type=one_of(*PRECISIONS), default="auto",
        help="number format; auto: half precision where the device computes it")  # fmt: skip
    add("--project", default="runs/detect", help="folder of all runs")
    add("--name", default="exp", help="folder of this run inside it; a taken name is numbered")
    add("--exist-ok", action="store_true", help="write into a folder that exists")
    add("--save-json", metavar="FILE", help="also write all detections in COCO's results format")
    add("--save-dataset", metavar="FILE",
        help="also write them as a COCO data set, to be corrected or trained on")  # fmt: skip
    add("--save-csv", metavar="FILE", help="also write a table, a row an object")
    add("--save-crops", action="store_true",
        help="also write the objects cut out, into crops/CLASS/")  # fmt: skip
    add("--save-txt", action="store_true", help="also write YOLO label files into labels/")
    add(
        "--save-confidence",
        action="store_true",
        help="with the score at the end of each line",
    )
    add("--no-images", action="store_true", help="write no annotated images or videos")
    add("--hide-labels", action="store_true", help="draw no class names")
    add("--hide-scores", action="store_true", help="draw no scores")
    add("--hide-masks", action="store_true", help="draw boxes only")
    add("--line-width", type=whole_number(1), metavar="PIXELS",
        help="of boxes; by default by the size of the image")  # fmt: skip
    add_views(flags)
    add("--frame-stride", type=whole_number(1), default=1, metavar="N",
        help="look at every N-th frame of videos and streams")  # fmt: skip
    add("--track", type=one_of(*TRACKERS), metavar="TRACKER",
        help=f"follow objects through videos: {', '.join(TRACKERS)}")  # fmt: skip
    add("--save-mot", action="store_true",
        help="also write what --track follows as the MOT challenges do, into mot/")  # fmt: skip
    return flags


def main(arguments: Sequence[str] | None = None) -> int:
    """Detect.

    Raises:
        UserError: For what the user can mend.
    """
    options = parser().parse(arguments)
    views = Views(options.slice, options.overlap, options.augment)
    if options.save_mot and not options.track:
        raise UserError("--save-mot: needs --track, which gives objects their ids")
    open_source(options.source)  # what is wrong with it is told before the weights are read
    for file in (options.save_json, options.save_dataset, options.save_csv):
        if file:
            check_writable(file)
    model = load_detector(
        options.weights, device=options.device, precision=options.precision, cfg=options.cfg
    )
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
        frame_stride=options.frame_stride,
        track=options.track,
        **asdict(views),
    )
    style = DrawingStyle(
        names=not options.hide_labels,
        scores=not options.hide_scores,
        masks=not options.hide_masks,
        line_width=options.line_width,
    )
    files = DetectionFiles(
        run_folder(options.project, options.name, exist_ok=options.exist_ok),
        style=None if options.no_images else style,
        results_file=options.save_json,
        dataset_file=options.save_dataset,
        table_file=options.save_csv,
        crops=options.save_crops,
        txt=options.save_txt or options.save_confidence,
        txt_scores=options.save_confidence,
        mot=options.save_mot,
    )
    files.write(results, model.names)
    return 0
