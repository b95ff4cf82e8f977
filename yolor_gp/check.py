"""What is wrong with a data set of any task, for programs and for Python."""

from __future__ import annotations

from pathlib import Path

from yolor_gp.classification import examine as labelled
from yolor_gp.classification.open_data import open_data
from yolor_gp.config.data_config import load_data_config
from yolor_gp.config.data_folder import is_folder, keys_of_folder, yaml_in
from yolor_gp.data.doctor import Report, examine
from yolor_gp.data.doctor.all_images import Progress


def check_dataset(
    data: str | Path, *, use_cache: bool = True, progress: Progress | None = None
) -> Report:
    """Everything that is wrong with a data set, with place and remedy.

    Args:
        data: A data YAML, the name of a shipped one, or a folder as a labelling tool leaves it;
            or a folder of images in classes.
        use_cache: Take the report that was kept while nothing has changed.
        progress: Is told how far the examination is.

    Returns:
        The findings, and the counts of each split; `report.raise_errors()` raises what would stop
        a training, `report.lines()` is text for people.

    Raises:
        UserError: When the data YAML itself is wrong, or the folder is none of a data set.
    """
    if is_folder(data) and not _detects(Path(data)):
        return labelled.examine(open_data(data), use_cache=use_cache, progress=progress)
    return examine(load_data_config(data), use_cache=use_cache, progress=progress)


def _detects(folder: Path) -> bool:
    """Whether labels of detection lie in a folder, not pictures in folders of classes."""
    return yaml_in(folder) is not None or bool(keys_of_folder(folder))
