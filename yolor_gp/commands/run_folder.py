"""Where a run writes: `PROJECT/NAME`, then `NAME2`, `NAME3`; never into an older run."""

from __future__ import annotations

from itertools import count
from pathlib import Path

from yolor_gp.errors import UserError


def new_run_folder(project: str | Path, name: str = "exp") -> Path:
    """Create and return the first free of `project/name`, `project/name2`, ...

    Raises `UserError` where it cannot be created.
    """
    for number in count(1):
        folder = Path(project) / (name if number == 1 else f"{name}{number}")
        try:
            folder.mkdir(parents=True)
        except FileExistsError:
            if folder.parent.is_dir():
                continue
            raise UserError(f"{project}: is a file; --project names a folder") from None
        except OSError as error:
            raise UserError(
                f"{folder}: cannot be created ({error.strerror}); choose another --project"
            ) from None
        return folder
    raise AssertionError("unreachable")
