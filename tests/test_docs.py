"""The pages say what the code does: every key and flag is described, every link leads somewhere."""

from __future__ import annotations

import configparser
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import BaseModel

import yolor_gp
from yolor_gp.config.train_config import TrainConfig
from yolor_gp.flags import train

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]


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
    actions = train.parser()._actions
    flags = {action.option_strings[0] for action in actions if action.option_strings}
    assert described == flags - {"-h"}


def anchors(page: Path) -> set[str]:
    """What the headings of a page are called in links."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), flags=re.MULTILINE)
    return {re.sub(r"[-\s]+", "-", re.sub(r"[^\w\s-]", "", one).lower()) for one in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_and_named_files_exist(page: Path) -> None:
    text = page.read_text()
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        if not link.startswith(("http://", "https://")):
            path, _, anchor = link.partition("#")
            target = (page.parent / path).resolve() if path else page
            assert target.exists(), f"{page.name} links to {link}"
            assert not anchor or anchor in anchors(target), f"{page.name} links to {link}"
            # What the site is built from is docs/ alone.
            docs = ROOT / "docs"
            assert docs not in page.parents or docs in target.parents, link
    for script in re.findall(r"python ((?:scripts/)?\w+\.py)", text):
        assert (ROOT / script).is_file(), f"{page.name} names {script}"


def test_every_extra_is_described_and_no_other() -> None:
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    table = (ROOT / "docs/install.md").read_text().split("| extra |")[1].split("\n\n")[0]
    assert set(re.findall(r"`\[(\w+)\]`", table)) == set(setup["options.extras_require"])


def test_the_containers_name_what_exists() -> None:
    image = (ROOT / "Dockerfile").read_text()
    assert re.search(r'^ENTRYPOINT \["yolor-gp"\]$', image, re.MULTILINE)
    assert "yolor-gp =" in (ROOT / "setup.cfg").read_text()
    surroundings = json.loads((ROOT / ".devcontainer/devcontainer.json").read_text())
    program, target = surroundings["postCreateCommand"].split()
    assert program == "make" and f"\n{target}:" in (ROOT / "Makefile").read_text()


def pages_of(navigation: list[Any]) -> list[str]:
    """The pages of a navigation or a section of one, in order."""
    names: list[str] = []
    for entry in navigation:
        (inside,) = entry.values() if isinstance(entry, dict) else (entry,)
        names += [inside] if isinstance(inside, str) else pages_of(inside)
    return names


def test_every_page_stands_once_in_the_navigation_of_the_site() -> None:
    navigation = yaml.safe_load((ROOT / "mkdocs.yml").read_text())["nav"]
    docs = ROOT / "docs"
    pages = sorted(page.relative_to(docs).as_posix() for page in docs.rglob("*.md"))
    assert sorted(pages_of(navigation)) == pages


def test_the_reference_of_python_has_every_name() -> None:
    text = (ROOT / "docs/python-reference.md").read_text()
    assert sorted(re.findall(r"^::: yolor_gp\.(\w+)$", text, re.MULTILINE)) == sorted(
        yolor_gp.__all__
    )


@pytest.mark.slow
def test_the_site_is_built_without_warnings_and_fetches_nothing(tmp_path: Path) -> None:
    for needed in ("mkdocs", "material", "mkdocstrings"):
        pytest.importorskip(needed, reason="pip install 'yolor_gp[docs]'")
    build = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet"]
    subprocess.run([*build, "--site-dir", str(tmp_path)], cwd=ROOT, check=True)
    page = (tmp_path / "python-reference.html").read_text()
    assert "bit for bit as if it had never stopped" in page
    for built in [*tmp_path.rglob("*.html"), *tmp_path.rglob("*.css")]:
        assert not re.search(
            r"""<(?:script|img|iframe)[^>]+src="?https?:|<link[^>]+stylesheet[^>]+href="?https?:"""
            r"""|url\(["']?https?:""",
            built.read_text(),
        ), built.name


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
