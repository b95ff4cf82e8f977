"""Two networks against each other: how alike their layers see the same images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

import torch
from tqdm import tqdm

from yolor_gp.analysis.flow.cka import MinibatchCKA, rounded, small_maps
from yolor_gp.analysis.flow.observed import layer_names, observed
from yolor_gp.errors import UserError
from yolor_gp.information_flow.examined import Examined
from yolor_gp.information_flow.kept import Kept, key_of


@dataclass(frozen=True)
class Between:
    """CKA of every layer of one network with every layer of another.

    Attributes:
        first: Source of the one.
        second: Of the other.
        rows: Layers of the first in the order they run.
        columns: Of the second.
        cka: By row and column, in 0..1; None where a layer is constant.
    """

    first: str
    second: str
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    cka: list[list[float | None]]

    def closest(self) -> list[tuple[str, str, float]]:
        """Each layer of the second, the layer of the first that is most like it, and their CKA."""
        found = []
        for column, name in enumerate(self.columns):
            known = [(value, row) for row, values in enumerate(self.cka)
                     if (value := values[column]) is not None]  # fmt: skip
            if known:
                value, row = max(known)
                found.append((name, self.rows[row], value))
        return found

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)

    def __str__(self) -> str:
        found = self.closest()
        if not found:
            return f"{self.second}: its layers are constant"
        name, row, value = min(found, key=lambda each: each[2])
        return (
            f"{self.second} against {self.first}: its layers are like their closest there by"
            f" {fmean(value for _, _, value in found):.2f} (CKA, mean), least {name} ({value:.2f},"
            f" with {row})"
        )


def compare(first: Examined, second: Examined, folder: Path, *, quiet: bool = True) -> Between:
    """Run the training part of the data through both; what `folder` keeps is not done again.

    Raises:
        UserError: When the data hold not the same images for both, or none.
    """
    folder.mkdir(parents=True, exist_ok=True)
    kept = Kept(folder / "against.json", f"{key_of(first)} {key_of(second)}")
    if "cka" not in kept.values:
        for name, value in zip(
            ("rows", "columns", "cka"), _pass(first, second, quiet), strict=True
        ):
            kept.keep(name, value)
    rows, columns, cka = (kept.values[name] for name in ("rows", "columns", "cka"))
    return Between(first.source, second.source, tuple(rows), tuple(columns), cka)


@torch.no_grad()
def _pass(
    first: Examined, second: Examined, quiet: bool
) -> tuple[Sequence[str], Sequence[str], list[list[float | None]]]:
    cka = MinibatchCKA()
    rows: list[str] = []
    columns: list[str] = []
    with (
        observed(first.network, layer_names(first.network), small_maps) as ones,
        observed(second.network, layer_names(second.network), small_maps) as others,
    ):
        pairs = zip(first.batches("train"), second.batches("train"), strict=True)
        for one, other in tqdm(pairs, "both", disable=quiet):
            if not torch.equal(one.labels, other.labels):
                raise UserError(f"{first.source} and {second.source}: not the same images")
            first.see(one)
            second.see(other)
            rows, columns = list(ones), list(others)
            cka.add(list(ones.values()), list(others.values()))
    if not cka.batches:
        raise UserError("too few images to compare networks; name more with --images")
    return rows, columns, rounded(cka.matrix())
