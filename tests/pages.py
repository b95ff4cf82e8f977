"""Pages of networks: what they hold, and what they are in a browser."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path


def networks_of(page: str) -> list[dict[str, object]]:
    """What the page's script draws."""
    found = re.search(r"const networks = (\[.*\]);\n", page)
    assert found
    result: list[dict[str, object]] = json.loads(found[1])
    return result


def opened(chromium: str, folder: Path, page: str, fragment: str = "") -> str:
    """The document after its scripts have run."""
    file = folder / "page.html"
    file.write_text(page, encoding="utf-8")
    command = [
        chromium, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run",
        "--disable-background-networking", "--disable-sync", f"--user-data-dir={folder / 'user'}",
        "--dump-dom", f"{file.as_uri()}#{fragment}",
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    return done.stdout
