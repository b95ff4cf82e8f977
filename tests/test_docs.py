"""The pages say what the code does: every key and flag is described, every link leads somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from pydantic import BaseModel

from yolor_gp.commands import train_arguments
from yolor_gp.config.train_config import TrainConfig

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]


def recipe_keys() -> list[str]:
    keys = []
    for section, field in TrainConfig.model_fields.items():
        assert isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel)
        keys += [f"{section}.{key}" for key in field.annotation.model_fields]
    return keys


def test_every_recipe_key_is_described_and_no_other() -> None:
    text = (ROOT / "docs" / "training.md").read_text()
    described = set(re.findall(r"`((?:\w+)\.(?:\w+))`", text.split("## Recipes")[1]))
    described = {key for key in described if key.split(".")[0] in TrainConfig.model_fields}
    assert described == set(recipe_keys())


def test_every_flag_of_training_is_described_and_no_other() -> None:
    text = (ROOT / "docs" / "training.md").read_text()
    table = text.split("## Flags")[1].split("## Recipes")[0]
    described = set(re.findall(r"`(--[a-z-]+)`", table))
    actions = train_arguments._parser()._actions
    flags = {action.option_strings[0] for action in actions if action.option_strings}
    assert described == flags - {"-h"}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_and_named_files_exist(page: Path) -> None:
    text = page.read_text()
    links = re.findall(r"\]\(([^)#]+)\)", text)
    for link in links:
        if not link.startswith(("http://", "https://")):
            assert (page.parent / link).exists(), f"{page.name} links to {link}"
    for script in re.findall(r"python ((?:scripts/)?\w+\.py)", text):
        assert (ROOT / script).is_file(), f"{page.name} names {script}"


def test_every_reference_leads_somewhere() -> None:
    known = set(
        re.findall(r"^\| \[(\w+)\]", (ROOT / "docs/references.md").read_text(), re.MULTILINE)
    )
    files = [*(ROOT / "yolor_gp").rglob("*.py"), *(ROOT / "cfg").rglob("*.yaml"), *PAGES]
    named = {
        (word, str(file))
        for file in files
        for found in re.findall(
            r"(?<![\w\]])\[([A-Z][A-Za-z0-9]+(?:, [^\]]+)?)\](?!\()", file.read_text()
        )
        for word in [found.split(",")[0]]
        if word in known or (word.upper() == word and len(word) > 2)
    }
    assert not [(word, file) for word, file in named if word not in known]
    assert len({word for word, _ in named}) >= 8
    assert not [file for file in files if re.search(r"\bSPEC\b", file.read_text())]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_yaml_examples_are_yaml(page: Path) -> None:
    for block in re.findall(r"```yaml\n(.*?)```", page.read_text(), flags=re.DOTALL):
        assert yaml.safe_load(block), block
