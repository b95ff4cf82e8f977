"""Counts objects that cross a line and those inside a zone of a video.

    pip install 'yolor_gp[track]'
    python examples/count_objects.py WEIGHTS VIDEO --line 0 216 768 216
    python examples/count_objects.py WEIGHTS VIDEO --zone 200 0 560 0 560 432 200 432 --out counted/

Coordinates are pixels of the video, x before y. Each crossing is printed as it happens.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import supervision as sv

import yolor_gp
from yolor_gp.media.annotated_files import AnnotatedFiles


class Counter:
    """What a line and a zone count of tracked objects."""

    def __init__(self, line: list[int] | None, zone: list[int] | None) -> None:
        self.line = self.zone = None
        if line is not None:
            start, end = sv.Point(*line[:2]), sv.Point(*line[2:])
            # The middle of an object crosses once, however large it is.
            self.line = sv.LineZone(start, end, triggering_anchors=[sv.Position.CENTER])
            self.draw_line = sv.LineZoneAnnotator()
        if zone is not None:
            polygon = np.reshape(zone, (-1, 2))
            self.zone = sv.PolygonZone(polygon, triggering_anchors=[sv.Position.CENTER])
            self.draw_zone = sv.PolygonZoneAnnotator(self.zone)

    def look(self, result: yolor_gp.Result) -> list[str]:
        """Count the objects of the next frame; a line of text for each that has crossed."""
        found, crossings = result.to_supervision(), []
        if self.zone is not None:
            self.zone.trigger(found)
        if self.line is not None:
            for word, crossed in zip(("in", "out"), self.line.trigger(found), strict=True):
                crossings += [
                    f"frame {result.frame}: {name} {identity} goes {word}"
                    for name, identity in zip(
                        found.data["class_name"][crossed], found.tracker_id[crossed], strict=True
                    )
                ]
        return crossings

    def drawn(self, picture: np.ndarray) -> np.ndarray:
        """Line and zone with their counts, on a picture u8[H, W, 3]."""
        if self.line is not None:
            picture = self.draw_line.annotate(picture, self.line)
        if self.zone is not None:
            picture = self.draw_zone.annotate(picture)
        return picture

    def __str__(self) -> str:
        words = []
        if self.line is not None:
            words.append(f"{self.line.in_count} in, {self.line.out_count} out")
        if self.zone is not None:
            words.append(f"{self.zone.current_count} in the zone at the end")
        return "; ".join(words)


def main() -> None:
    """Print, and draw where asked to."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("weights")
    parser.add_argument("video")
    parser.add_argument("--line", type=int, nargs=4, metavar=("X1", "Y1", "X2", "Y2"))
    parser.add_argument("--zone", type=int, nargs="+", metavar="X Y")
    parser.add_argument("--track", default="bytetrack")
    parser.add_argument("--confidence", type=float, default=0.25)
    parser.add_argument("--out", type=Path, help="folder for the video with line, zone and counts")
    options = parser.parse_args()

    counter = Counter(options.line, options.zone)
    model = yolor_gp.load(options.weights)
    results = model.predict(options.video, track=options.track, confidence=options.confidence)
    if options.out:
        options.out.mkdir(parents=True, exist_ok=True)
    with AnnotatedFiles(options.out or Path()) as files:
        for result in results:
            for crossing in counter.look(result):
                print(crossing)
            if options.out:
                files.write(result.source, counter.drawn(result.plot()))
    print(counter)


if __name__ == "__main__":
    main()
