from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "scripts"))

from mutants import MUTANTS, ROOT, table


def test_every_mutant_still_fits_the_code() -> None:
    for mutant in MUTANTS:
        assert (ROOT / mutant.file).read_text().count(mutant.before) == 1, mutant.name
    assert len({mutant.name for mutant in MUTANTS}) == len(MUTANTS) >= 30


def test_the_page_names_all_of_them_and_none_lives() -> None:
    page = (ROOT / "docs/mutants.md").read_text()
    assert "**nothing**" not in page
    rows = table({mutant.name: "?" for mutant in MUTANTS}).splitlines()[8:]
    for row in rows:
        assert row.rsplit("|", 2)[0] in page, row
