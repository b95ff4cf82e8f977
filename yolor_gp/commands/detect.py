"""`detect.py`: find objects in images, videos, cameras and streams; draw and list them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from yolor_gp.commands.detection_files import DetectionFiles
from yolor_gp.detection.views import Views
from yolor_gp.engine.runs import run_folder
from yolor_gp.errors import UserError
from yolor_gp.files import check_writable
from yolor_gp.flags.detect import parser
from yolor_gp.media.sources import open_source
from yolor_gp.model import load_detector
from yolor_gp.visualize.draw import DrawingStyle


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
