"""HTML pages that fetch nothing: sections, tables, and pictures that are part of the file."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Sequence
from html import escape
from importlib import resources

import cv2
import numpy as np
from numpy.typing import NDArray

_QUALITY = 82


def whole_page(title: str, body: str) -> str:
    """The file; `title` is text, `body` HTML."""
    page = resources.files("yolor_gp.visualize").joinpath("page.html").read_text("utf-8")
    return page.replace("<!--title-->", escape(title)).replace("<!--body-->", body)


def section(title: str, body: str) -> str:
    """A box of the page."""
    return f"<section><h2>{escape(title)}</h2>{body}</section>"


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Text in rows; the first column to the left."""
    head = "".join(f"<th>{escape(word)}</th>" for word in heads)
    body = "".join(
        "<tr>" + "".join(f"<td>{escape(word)}</td>" for word in row) + "</tr>" for row in rows
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def grid(parts: Sequence[str], *, wide: bool = False) -> str:
    """Side by side where the window is wide; `wide`: two at most."""
    return f"<div class='grid{' wide' if wide else ''}'>{''.join(parts)}</div>"


def picture(draw: Callable[[io.BytesIO], None], words: str) -> str:
    """A PNG that `draw` writes."""
    file = io.BytesIO()
    draw(file)
    return _figure(file.getvalue(), "png", words)


def jpeg(image: NDArray[np.uint8], words: str) -> str:
    """A photograph, u8[H, W, 3] RGB."""
    done, coded = cv2.imencode(
        ".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, _QUALITY]
    )
    assert done
    return _figure(coded.tobytes(), "jpeg", words)


def _figure(content: bytes, kind: str, words: str) -> str:
    text = base64.b64encode(content).decode("ascii")
    label = escape(words, quote=True)
    return (
        f"<figure><img alt='{label}' src='data:image/{kind};base64,{text}'>"
        f"<figcaption>{escape(words)}</figcaption></figure>"
    )
