"""The flags of `detect.py`."""

from __future__ import annotations

from yolor_gp.config.precisions import PRECISIONS
from yolor_gp.detection.trackers import TRACKERS
from yolor_gp.flags.arguments import (
    Arguments,
    add_image_size,
    add_views,
    fraction,
    one_of,
    whole_number,
)


def parser() -> Arguments:
    """Every flag of the command."""
    flags = Arguments(
        "detect.py",
        description="Find objects in images, videos, cameras and streams; draw and list them.",
    )
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
