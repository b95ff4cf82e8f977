"""The only evaluation: in the training loop and in `classify.py val`, on one process or many."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from yolor_gp.classification.batches import ClassBatch
from yolor_gp.engine.distributed.context import DistributedContext
from yolor_gp.engine.precision import choose_validation_precision, to_float32
from yolor_gp.engine.task import ValidationInterruptedError
from yolor_gp.models.network import ClassifierNetwork

TOP = 5
"""Classes that are looked at beside the best."""

_ALONE = DistributedContext()


@dataclass(frozen=True)
class Accuracy:
    """How often the right class was found.

    Attributes:
        names: Of the C classes, by label.
        confusion: i64[C, C]: images of class row that were taken for class column.
        in_top: Images whose class was among the best five.
        loss: The mean cross entropy.
        answers: For each image its name, and the labels that it has and that it was given; in the
            order of the names.
    """

    names: tuple[str, ...]
    confusion: NDArray[np.int64]
    in_top: int
    loss: float
    answers: tuple[tuple[str, int, int], ...] = ()

    @property
    def images(self) -> int:
        """How many were looked at."""
        return int(self.confusion.sum())

    @property
    def top1(self) -> float:
        """The share of images whose class was found, in 0..1."""
        return float(np.trace(self.confusion)) / max(self.images, 1)

    @property
    def top5(self) -> float:
        """The share of images whose class was among the best five, in 0..1."""
        return self.in_top / max(self.images, 1)

    @property
    def per_class(self) -> dict[str, float]:
        """The share of the images of each class that were found; -1 where it has none."""
        rows = self.confusion.sum(axis=1)
        found = np.diagonal(self.confusion)
        shares = np.where(rows > 0, found / np.maximum(rows, 1), -1.0)
        return dict(zip(self.names, shares.tolist(), strict=True))

    def named(self) -> dict[str, float]:
        """For logs, the most looked at first."""
        return {"top-1": self.top1, "top-5": self.top5, "loss": self.loss}

    @property
    def predictions(self) -> list[dict[str, str]]:
        """What each image shows and was taken for, by class names."""
        return [
            {"image": image, "label": self.names[label], "predicted": self.names[given]}
            for image, label, given in self.answers
        ]

    def table(self) -> str:
        """For people: a line for the whole, and the classes that were found least."""
        lines = [
            f"top-1 {100 * self.top1:.2f}%, top-5 {100 * self.top5:.2f}%, loss {self.loss:.4f},"
            f" {self.images} images"
        ]
        shares = [(share, name) for name, share in self.per_class.items() if share >= 0]
        for share, name in sorted(shares)[:_SHOWN]:
            label = self.names.index(name)
            row = self.confusion[label].copy()
            row[label] = 0
            taken = f", most often taken for {self.names[row.argmax()]}" if row.any() else ""
            lines.append(f"{name}: {100 * share:.1f}%{taken}")
        return "\n".join(lines)

    def __str__(self) -> str:
        return self.table()

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {
            **self.named(),
            "images": self.images,
            "per_class": self.per_class,
            "names": list(self.names),
            "confusion": self.confusion.tolist(),
        }


_SHOWN = 5


def evaluate(
    network: ClassifierNetwork,
    loader: Iterable[ClassBatch],
    device: torch.device,
    *,
    precision: str = "auto",
    context: DistributedContext = _ALONE,
    must_stop: Callable[[], bool] = lambda: False,
    show: Callable[[ClassBatch, Tensor], None] | None = None,
) -> Accuracy:
    """The accuracy of `network` over the images of all processes' loaders, on every process.

    show: is given every batch with its logits.

    Raises:
        ValidationInterruptedError: When `must_stop()` says so between batches.
    """
    chosen = choose_validation_precision(precision, device)
    chosen.prepare(network.eval())
    classes = network.num_classes
    counts = torch.zeros(classes * classes, dtype=torch.int64)
    in_top, loss = 0, 0.0
    answers: list[tuple[str, int, int]] = []
    for batch in loader:
        if must_stop():
            raise ValidationInterruptedError
        with torch.no_grad(), chosen.autocast():
            logits = to_float32(network(chosen.images(batch.images, device))).cpu()
        given = logits.argmax(1)
        counts += torch.bincount(batch.targets * classes + given, minlength=classes * classes)
        paths = [meta.path for meta in batch.metas]
        answers += zip(paths, batch.targets.tolist(), given.tolist(), strict=True)
        best = logits.topk(min(TOP, classes)).indices
        in_top += int((best == batch.targets[:, None]).any(1).sum())
        loss += float(torch.nn.functional.cross_entropy(logits, batch.targets, reduction="sum"))
        if show is not None:
            show(batch, logits)
    parts = context.gather((counts.numpy(), in_top, loss, answers))
    confusion = sum((part[0] for part in parts), np.zeros(classes * classes, np.int64))
    images = max(int(confusion.sum()), 1)
    return Accuracy(
        network.names,
        confusion.reshape(classes, classes),
        sum(part[1] for part in parts),
        sum(part[2] for part in parts) / images,
        tuple(sorted(chain.from_iterable(part[3] for part in parts))),
    )
