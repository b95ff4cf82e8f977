"""How each class fares: its AP, and precision, recall and F1 at its best confidence."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from yolor_gp.evaluation.curves import CONFIDENCES, Matches
from yolor_gp.structures.eval_result import EvalResult


def class_table(result: EvalResult, matches: Matches, names: Sequence[str]) -> str:
    """Lines for people: a row for each class that has objects, those with most objects first.

    P, R and F1 are of boxes at IoU 0.5, at the confidence where the class's F1 is highest.
    """
    curves = matches.over_confidence()
    best = curves.f1.argmax(axis=1)
    present = np.flatnonzero(matches.objects).tolist()
    wide = max([5, *(len(names[label][:24]) for label in present)])
    aps = {f"{part} AP": figures.per_class for part, figures in result.parts.items()}
    heads = ["objects", *aps, "P", "R", "F1", "at"]
    lines = [f"{'class':<{wide}}" + "".join(f"{head:>9}" for head in heads)]
    for label in np.argsort(-matches.objects, kind="stable").tolist():
        if not matches.objects[label]:
            continue
        place = best[label]
        at_best = [curves.precision[label, place], curves.recall[label, place]]
        at_best.append(curves.f1[label, place])
        shares = [table.get(names[label], -1.0) for table in aps.values()] + at_best
        row = f"{names[label][:24]:<{wide}}{int(matches.objects[label]):>9}"
        row += "".join(f"{_percent(share):>9}" for share in shares)
        lines.append(f"{row}{CONFIDENCES[place]:>9.2f}")
    return "\n".join(lines)


def _percent(share: float) -> str:
    return "-" if share < 0 else f"{100 * share:.1f}"
