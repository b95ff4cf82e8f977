"""Real COCO weights, imported, have the AP the original code was measured at."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from yolor_gp.commands.val import main

# AP, AP50, AP75 of the original code on the same images and by the same protocol.
ORIGINAL = {"bbox": (0.2967, 0.4630, 0.3080), "segm": (0.2584, 0.4386, 0.2721)}


@pytest.mark.slow
@pytest.mark.coco
def test_average_precision_is_that_of_the_original_code(
    shared: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data, figures = tmp_path / "coco-mini.yaml", tmp_path / "figures.json"
    data.write_text(
        f"path: {shared.resolve() / 'data' / 'coco-mini'}\n"
        "val: images/val2017\n"
        "annotations: {val: annotations/instances_val2017.json}\n"
    )
    weights = shared / "weights" / "yolov5n-seg.pt"
    flags = ["--iou", "0.6", "--img", "640", "--workers", "0", "--metrics-json", str(figures)]
    assert main(["--weights", str(weights), "--data", str(data), *flags]) == 0
    found = json.loads(figures.read_text())
    with capsys.disabled():
        for kind, (ap, ap50, ap75) in ORIGINAL.items():
            own = [found[kind][name] for name in ("AP", "AP50", "AP75")]
            print(f"\n{kind}: AP {own[0]:.4f} ({ap}), {own[1]:.4f} ({ap50}), {own[2]:.4f} ({ap75})")
    for kind, (ap, ap50, ap75) in ORIGINAL.items():
        assert abs(found[kind]["AP"] - ap) <= 0.002
        assert abs(found[kind]["AP50"] - ap50) <= 0.005
        assert abs(found[kind]["AP75"] - ap75) <= 0.005
