"""The lines of a Darknet `.cfg`: sections of words and values, checked where they are used."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from yolor_gp.config.suggest import did_you_mean
from yolor_gp.errors import UserError

_MOST_SECTIONS = 2000
_LARGEST = 65536

_ACTIVATIONS = {
    "linear": "none", "leaky": "leaky_relu", "swish": "silu", "mish": "mish", "relu": "relu",
    "logistic": "sigmoid",
}  # fmt: skip
# What changes the function, by kind of section; of [net] and [yolo] every other word is training's.
_WORDS = {
    "convolutional": {"batch_normalize", "filters", "size", "stride", "pad", "padding", "groups",
                      "activation"},
    "shortcut": {"from", "activation"},
    "route": {"layers", "groups", "group_id"},
    "maxpool": {"size", "stride", "padding"},
    "upsample": {"stride", "scale"},
    "dropout": {"probability"},
    "avgpool": set(),
}  # fmt: skip
_OTHER_NAMES = {"network": "net", "conv": "convolutional", "max": "maxpool"}
_TRAINING_WORDS = {"stopbackward", "burnin_update", "train_only_bn", "dropblock"}


@dataclass
class Section:
    """A [kind] at a line, with its words and the lines they stand at."""

    file: str
    kind: str
    line: int
    words: dict[str, tuple[str, int]] = field(default_factory=dict)

    def fail(self, text: str, key: str | None = None) -> UserError:
        """The error to raise, at the line of a word or of the section."""
        line = self.words[key][1] if key in self.words else self.line
        return UserError(f"{self.file}:{line}: [{self.kind}]: {text}")

    def number(self, key: str, default: int, low: int, high: int = _LARGEST) -> int:
        """A whole number within bounds."""
        if key not in self.words:
            return default
        return self._whole(key, self.words[key][0], low, high)

    def numbers(self, key: str, low: int = -_MOST_SECTIONS, high: int = _LARGEST) -> list[int]:
        """Whole numbers, separated by commas; there must be one."""
        if key not in self.words:
            raise self.fail(f"'{key}' is missing")
        parts = [part for part in self.words[key][0].split(",") if part.strip()]
        if not parts or len(parts) > 4096:
            raise self.fail(f"'{key}' gives no numbers", key)
        return [self._whole(key, part, low, high) for part in parts]

    def fraction(self, key: str, default: float, low: float, high: float) -> float:
        """A number within bounds."""
        if key not in self.words:
            return default
        try:
            value = float(self.words[key][0])
        except ValueError:
            value = float("nan")
        if not low <= value <= high:
            found = self.words[key][0]
            raise self.fail(f"'{key}' must be a number from {low} to {high}, found {found!r}", key)
        return value

    def activation(self, default: str = "linear") -> str:
        """Ours for Darknet's."""
        word = self.words.get("activation", (default, 0))[0]
        if word not in _ACTIVATIONS:
            known = ", ".join(_ACTIVATIONS)
            hint = did_you_mean(word, _ACTIVATIONS)
            raise self.fail(f"unknown activation '{word}'{hint} (known: {known})", "activation")
        return _ACTIVATIONS[word]

    def check_words(self) -> None:
        """Refuse what this project does not know and what may change the function."""
        known = _WORDS.get(self.kind)
        if known is None:
            return
        for key in self.words:
            if key not in known | _TRAINING_WORDS:
                hint = did_you_mean(key, known)
                raise self.fail(f"'{key}' is not supported{hint}", key)

    def anchors(self) -> list[float]:
        """Widths and heights, in pixels, of the anchors that `mask` picks."""
        if "anchors" not in self.words:
            raise self.fail("'anchors' is missing")
        text = self.words["anchors"][0]
        try:
            sizes = [float(part) for part in text.split(",") if part.strip()]
        except ValueError:
            sizes = []
        if not sizes or len(sizes) % 2 or not all(0 < size < 1e6 for size in sizes):
            raise self.fail(f"'anchors' must be pairs of sizes in pixels, found {text[:80]!r}",
                               "anchors")  # fmt: skip
        picked = self.numbers("mask", 0) if "mask" in self.words else range(len(sizes) // 2)
        if max(picked) >= len(sizes) // 2:
            raise self.fail(f"'mask' picks anchor {max(picked)} of {len(sizes) // 2}", "mask")
        return [size for k in picked for size in sizes[2 * k : 2 * k + 2]]

    def _whole(self, key: str, text: str, low: int, high: int) -> int:
        try:
            value = int(text.strip())
        except ValueError:
            value = low - 1
        if not low <= value <= high:
            raise self.fail(
                f"'{key}' must be a whole number from {low} to {high}, found {text.strip()!r}", key
            )
        return value


def read_sections(text: str, file: str) -> Iterator[Section]:
    """Every section, [net] among them.

    Yields:
        The sections, in the order of the file.

    Raises:
        UserError: For a line that belongs to none.
    """
    current: Section | None = None
    count = 0
    for number, line in enumerate(text.splitlines(), start=1):
        content = line.split("#")[0].split(";")[0].strip().lstrip("\ufeff")
        if not content:
            continue
        if content.startswith("["):
            if current is not None:
                yield current
            count += 1
            if not content.endswith("]") or count > _MOST_SECTIONS:
                raise UserError(f"{file}:{number}: expected [kind of section], found {content!r}")
            kind = content[1:-1].strip().lower()[:40]
            current = Section(file, _OTHER_NAMES.get(kind, kind), number)
            continue
        key, equals, value = content.partition("=")
        if current is None or not equals:
            raise UserError(
                f"{file}:{number}: expected 'word=value' in a section, found {content[:80]!r}"
            )
        # Darknet takes the first where a word stands twice.
        current.words.setdefault(key.strip()[:40], (value.strip(), number))
    if current is not None:
        yield current
