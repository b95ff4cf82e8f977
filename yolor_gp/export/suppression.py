"""Suppression of overlaps, and masks, as a part of the graph: for programs that have neither."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from yolor_gp.config.train_config import ValidationConfig

OUTPUTS = ("counts", "boxes", "scores", "labels", "masks")
"""Names of the graph's outputs behind suppression; the last one only with masks."""

_PREFIX = "all_"


@dataclass(frozen=True)
class Suppression:
    """What is kept of the boxes, fixed when the file is written.

    Attributes:
        confidence: The score above which a box counts.
        iou: Overlap with a better box of its class above which it goes.
        max_detections: The most in an image.
    """

    confidence: float
    iou: float
    max_detections: int

    @property
    def config(self) -> ValidationConfig:
        """The same for PyTorch: of each box its best class."""
        return ValidationConfig(
            confidence=self.confidence,
            nms_iou=self.iou,
            max_detections=self.max_detections,
            multi_label=False,
        )

    def __str__(self) -> str:
        return f"confidence {self.confidence:g}, IoU {self.iou:g}, {self.max_detections} detections"


_TEXT = """
<ir_version: {ir_version}, opset_import: ["" : {opset}]>
suppression (float[B,N,4] all_boxes, float[B,N,C] all_scores{more_inputs})
    => (int64[B] counts, float[B,M,4] boxes, float[B,M] scores, int64[B,M] labels{more_outputs})
<float confidence = {{{confidence!r}}}, float overlap = {{{iou!r}}}, int64 most = {{{most}}},
 float nothing = {{0.0}}, float one = {{1.0}}, int64[1] at_least = {{1}}, int64[1] last = {{-1}},
 int64[1] middle = {{1}}, int64[2] image_and_row = {{0, 2}}>
{{
    best = ReduceMax <keepdims = 0> (all_scores, last)
    is_likely = Greater (best, confidence)
    likely_ones = Cast <to = 7> (is_likely)
    likely_count = ReduceSum <keepdims = 0> (likely_ones, last)
    most_likely = ReduceMax <keepdims = 1> (likely_count)
    candidate_count = Max (most_likely, at_least)
    candidate_scores, candidates = TopK <axis = 1> (best, candidate_count)
    candidate = Unsqueeze (candidates, last)
    candidate_boxes = GatherND <batch_dims = 1> (all_boxes, candidate)
    candidate_classes = GatherND <batch_dims = 1> (all_scores, candidate)
    candidate_labels = ArgMax <axis = 2, keepdims = 0> (candidate_classes)

    counts_as_box = Greater (candidate_scores, confidence)
    counts_as_row = Unsqueeze (counts_as_box, last)
    likely_boxes = Where (counts_as_row, candidate_boxes, nothing)
    highest = ReduceMax <keepdims = 0> (likely_boxes)
    lowest = ReduceMin <keepdims = 0> (likely_boxes)
    extent = Sub (highest, lowest)
    spacing = Add (extent, one)
    number = Cast <to = 1> (candidate_labels)
    shift = Mul (number, spacing)
    shift_of_box = Unsqueeze (shift, last)
    apart = Add (likely_boxes, shift_of_box)
    waiting = Unsqueeze (candidate_scores, middle)
    chosen = NonMaxSuppression (apart, waiting, most, overlap, confidence)

    place = Gather <axis = 1> (chosen, image_and_row)
    score = GatherND (candidate_scores, place)
    empty = Mul (candidate_scores, nothing)
    kept = ScatterND (empty, place, score)
    is_kept = Greater (kept, nothing)
    ones = Cast <to = 7> (is_kept)
    counts = ReduceSum <keepdims = 0> (ones, last)
    largest = ReduceMax <keepdims = 1> (counts)
    width = Max (largest, at_least)
    scores, order = TopK <axis = 1> (kept, width)
    row = Unsqueeze (order, last)
    boxes = GatherND <batch_dims = 1> (candidate_boxes, row)
    labels = GatherND <batch_dims = 1> (candidate_labels, row)
    {masks}
}}
"""
# As many candidates as the fullest image has. Classes are moved apart, as `ops.nms` does, so that
# one suppression serves all of them; boxes nobody asks for lie at 0, for they may be of any size.

_MASKS = """
    anchors = GatherND <batch_dims = 1> (candidates, row)
    anchor = Unsqueeze (anchors, last)
    picked = GatherND <batch_dims = 1> (all_coefficients, anchor)
    logits = Einsum <equation = "bmk,bkhw->bmhw"> (picked, all_prototypes)
    masks = Sigmoid (logits)
"""


def suppressed(model: Any, found: Suppression, onnx: Any) -> Any:
    """An `onnx.ModelProto` of every box, with suppression and masks behind it.

    Its outputs (B images, M the most detections in any of them, at least 1; rows beyond `counts`
    have score 0 and mean nothing): counts i64[B]; boxes f32[B, M, 4], xyxy in pixels of the input;
    scores f32[B, M], best first; labels i64[B, M]; with masks masks f32[B, M, h, w] in 0..1, at the
    size of the prototypes, to be enlarged, cut to the box and compared with 0.5.

    Args:
        model: Of the outputs of `ExportGraph`.
        found: What is kept.
        onnx: The package, which is optional.
    """
    has_masks = len(model.graph.output) > 2
    names = [output.name for output in model.graph.output]
    opset = next(entry.version for entry in model.opset_import if not entry.domain)
    tail = onnx.parser.parse_model(
        _TEXT.format(
            ir_version=model.ir_version,
            opset=opset,
            confidence=float(found.confidence),
            iou=float(found.iou),
            most=found.max_detections,
            more_inputs=", float[B,N,K] all_coefficients, float[B,K,h,w] all_prototypes"
            if has_masks
            else "",
            more_outputs=", float[B,M,h,w] masks" if has_masks else "",
            masks=_MASKS if has_masks else "",
        )
    )
    head = onnx.compose.add_prefix(
        model, _PREFIX, rename_nodes=False, rename_edges=False, rename_inputs=False,
        rename_initializers=False, rename_value_infos=False, rename_functions=False,
    )  # fmt: skip
    pairs = [(_PREFIX + name, _PREFIX + name) for name in names]
    whole = onnx.compose.merge_models(head, tail, io_map=pairs, name=model.graph.name)
    versions = {entry.domain: entry.version for entry in whole.opset_import}
    del whole.opset_import[:]
    whole.opset_import.extend(onnx.helper.make_opsetid(*pair) for pair in versions.items())
    return whole
