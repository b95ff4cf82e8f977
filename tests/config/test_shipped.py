from pathlib import Path

import pytest

from yolor_gp.config import shipped
from yolor_gp.config.shipped import find_shipped
from yolor_gp.errors import UserError


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("cfg/model/small", "cfg/paper/table9-row", "data/dots"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / f"{name}.yaml").write_text("{}")
    monkeypatch.setattr(shipped, "shipped_root", lambda: tmp_path)
    return tmp_path


@pytest.mark.parametrize("text", ["small", "small.yaml", "cfg/model/small.yaml"])
def test_a_shipped_file_is_found_by_name_from_anywhere(
    root: Path, text: str, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
    assert find_shipped("model", text) == root / "cfg/model/small.yaml"


def test_kinds_do_not_mix_but_a_model_may_be_a_paper_row(root: Path) -> None:
    assert find_shipped("model", "table9-row").parent.name == "paper"
    assert find_shipped("data", "dots").parent.name == "data"
    with pytest.raises(UserError, match="no such file"):
        find_shipped("paper", "small")


def test_a_path_wins_over_a_shipped_name(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("small.yaml").write_text("{}")
    assert find_shipped("model", "small.yaml") == Path("small.yaml")


def test_an_unknown_name_is_answered_with_a_suggestion(root: Path) -> None:
    with pytest.raises(UserError, match=r"smal: no such file.*did you mean 'small'"):
        find_shipped("model", "smal")


def test_the_real_root_holds_the_yamls() -> None:
    assert (shipped.shipped_root() / "cfg" / "model").is_dir()


@pytest.mark.parametrize("text", ["x" * 5000, "a\0b", ""])
def test_what_no_file_can_be_called_is_unknown_too(root: Path, text: str) -> None:
    with pytest.raises(UserError, match="no such file"):
        find_shipped("model", text)
