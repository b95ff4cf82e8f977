"""Darknet's `.cfg`: sections of a network, read as a model file of this project.

The format and the files written in it are public domain (Darknet's licence). What a section does is
taken over exactly, among it the side on which an even pooling window is padded; words that only
concern Darknet's own training are passed over, and any other word that is not known is refused.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from yolor_gp.config.model_spec import ModelSpec
from yolor_gp.config.suggest import did_you_mean
from yolor_gp.errors import UserError
from yolor_gp.interop.darknet_sections import Section, read_sections

_MOST_BYTES = 1 << 20


@dataclass(frozen=True)
class Convolution:
    """One convolution, as its numbers lie in a `.weights` file.

    Attributes:
        line: Of the `.cfg`, for messages.
        section: Its number, counted from 0 after [net], as Darknet counts layers.
        weight: Our name of the tensor, f32[filters, in_channels / groups, size, size].
        bias: Our name of the bias, of the convolution or of its normalisation.
        norm: Our name of the normalisation, None for a convolution with bias.
    """

    line: int
    section: int
    weight: str
    bias: str
    norm: str | None


@dataclass(frozen=True)
class DarknetModel:
    """A network of a `.cfg`.

    Attributes:
        spec: Its model file.
        image_size: (width, height) that [net] states, None where it does not.
        convolutions: In the order of the file.
        yolo_order: For each [yolo] of the file the number of our level, counted from the finest.
    """

    spec: ModelSpec
    image_size: tuple[int, int] | None
    convolutions: tuple[Convolution, ...]
    yolo_order: tuple[int, ...]


def is_darknet_cfg(path: str | Path) -> bool:
    """Whether a path names a Darknet configuration, by its ending."""
    return Path(path).suffix.lower() == ".cfg"


def read_darknet_cfg(path: str | Path) -> DarknetModel:
    """Read a `.cfg`.

    Raises:
        UserError: With a line for what is wrong, naming file and line.
    """
    file = Path(path)
    try:
        if file.stat().st_size > _MOST_BYTES:
            raise UserError(f"{file}: is larger than 1 MB, which no configuration is")
        text = file.read_text(encoding="utf-8")
    except OSError as error:
        raise UserError(f"{file}: cannot be read ({error.strerror}); check the path") from None
    except UnicodeDecodeError:
        raise UserError(f"{file}: is no text; expected a Darknet .cfg") from None
    return parse_darknet_cfg(text, str(file))


def parse_darknet_cfg(text: str, file: str) -> DarknetModel:
    """As `read_darknet_cfg`, of its text.

    Raises:
        UserError: As there.
    """
    sections = list(read_sections(text, file))
    if not sections or sections[0].kind != "net":
        raise UserError(f"{file}: expected a Darknet .cfg, which begins with [net]")
    return _Reader(file, sections[0], sections[1:]).model()


@dataclass(frozen=True)
class _Level:
    """What a [yolo] decodes: the layer it reads, and the section of its convolution."""

    section: Section
    source: int
    convolution: Section
    number: int
    stride: int


class _Reader:
    """Sections to layers. `outputs`: for each section the layer of ours that gives the same."""

    def __init__(self, file: str, net: Section, sections: list[Section]) -> None:
        self.file, self.net, self.sections = file, net, sections
        self.layers: list[dict[str, Any]] = []
        self.outputs: list[int | None] = []
        self.strides: list[int] = []
        self.levels: list[_Level] = []
        self.convolutions: list[tuple[Section, int, str]] = []
        self.classes: int | None = None

    def model(self) -> DarknetModel:
        """The whole of it.

        Raises:
            UserError: When a section is not supported or wrong, or the network ends in no head.
        """
        if self.net.number("channels", 3, 1) != 3:
            raise self.net.fail("expected 3 channels, red, green and blue", "channels")
        readers: dict[str, Callable[[int, Section], None]] = {
            "convolutional": self._convolutional,
            "shortcut": self._shortcut, "route": self._route, "maxpool": self._maxpool,
            "upsample": self._upsample, "dropout": self._dropout, "yolo": self._yolo,
            "avgpool": self._avgpool, "softmax": self._nothing, "cost": self._nothing,
        }  # fmt: skip
        for index, section in enumerate(self.sections):
            if section.kind not in readers:
                known = ", ".join(sorted(readers))
                hint = did_you_mean(section.kind, readers)
                raise section.fail(f"is not supported{hint} (supported: {known})")
            section.check_words()
            readers[section.kind](index, section)
        if self.levels:
            return self._detector()
        if self.classes is None:
            raise UserError(
                f"{self.file}: ends in no head; expected [yolo] sections, or [avgpool] and a"
                " convolution to the classes"
            )
        return self._finished(self.classes, (), ())

    def _add(self, layer: dict[str, Any], stride: int) -> None:
        """A layer that gives what the current section gives."""
        self.outputs.append(len(self.layers))
        self.layers.append(layer)
        self.strides.append(stride)

    def _before(self, index: int, section: Section) -> tuple[int, int]:
        """The layer before a section (-1: the image) and its stride."""
        if index == 0:
            return -1, 1
        return self._output(index - 1, section)

    def _output(self, index: int, section: Section) -> tuple[int, int]:
        layer = self.outputs[index]
        if layer is None:
            raise section.fail(
                f"reads section {index} ([{self.sections[index].kind}], line"
                f" {self.sections[index].line}), whose output is the head's"
            )
        return layer, self.strides[layer]

    def _sources(self, index: int, section: Section, key: str) -> list[tuple[int, int]]:
        found = []
        for number in section.numbers(key):
            place = index + number if number < 0 else number
            if not 0 <= place < index:
                raise section.fail(
                    f"'{key}' gives {number}, but {index} sections come before this one", key
                )
            found.append(self._output(place, section))
        if len({stride for _, stride in found}) > 1:
            raise section.fail(f"'{key}' joins maps of different sizes", key)
        return found

    def _convolutional(self, index: int, section: Section) -> None:
        following = self.sections[index + 1].kind if index + 1 < len(self.sections) else ""
        source, stride = self._before(index, section)
        if following == "yolo":
            self._level(index, section, source, stride)
            return
        if index and self.sections[index - 1].kind == "avgpool":
            self._classifier(index, section, source)
            return
        size = section.number("size", 1, 1, 64)
        padding = (
            size // 2 if section.number("pad", 0, 0, 1) else section.number("padding", 0, 0, 64)
        )
        step = section.number("stride", 1, 1, 64)
        layer = {
            "block": "Conv",
            "from": source,
            "out_channels": section.number("filters", 1, 1),
            "kernel": size,
            "stride": step,
            "padding": padding,
            "groups": section.number("groups", 1, 1),
            "activation": section.activation("logistic"),
        }
        if not section.number("batch_normalize", 0, 0, 1):
            layer["norm"] = False
        self.convolutions.append((section, index, f"layers.{len(self.layers)}"))
        self._add(layer, stride * step)

    def _level(self, index: int, section: Section, source: int, stride: int) -> None:
        """The last convolution of a level, which is the head's."""
        yolo = self.sections[index + 1]
        coded = bool(yolo.number("new_coords", 0, 0, 1))
        wanted = "sigmoid" if coded else "none"
        if section.activation("logistic") != wanted:
            raise section.fail(
                f"before a [yolo] with new_coords={int(coded)} the activation must be"
                f" {'logistic' if coded else 'linear'}",
                "activation",
            )
        if (section.number("size", 1, 1), section.number("stride", 1, 1)) != (1, 1) or (
            section.number("batch_normalize", 0, 0, 1) or section.number("groups", 1, 1) != 1
        ):
            raise section.fail("before a [yolo] expected a plain convolution of size 1")
        self.levels.append(_Level(yolo, source, section, index, stride))
        self.outputs.append(None)

    def _yolo(self, index: int, section: Section) -> None:
        if not index or self.sections[index - 1].kind != "convolutional":
            raise section.fail("expected a convolution before it")
        self.outputs.append(None)

    def _classifier(self, index: int, section: Section, source: int) -> None:
        """Global average and a convolution to the classes, which are one layer here."""
        if section.number("batch_normalize", 0, 0, 1) or section.activation() != "none":
            raise section.fail("after [avgpool] expected a plain linear convolution")
        if section.number("size", 1, 1) != 1 or section.number("groups", 1, 1) != 1:
            raise section.fail("after [avgpool] expected a convolution of size 1")
        self.classes = section.number("filters", 1, 1)
        self.layers.append({"block": "Classifier", "from": source, "num_classes": "nc"})
        self.convolutions.append((section, index, "head"))
        self.outputs.append(None)

    def _shortcut(self, index: int, section: Section) -> None:
        first = self._before(index, section)
        others = self._sources(index, section, "from")
        if any(stride != first[1] for _, stride in others):
            raise section.fail("adds maps of different sizes, which is not supported", "from")
        layer: dict[str, Any] = {"block": "Add", "from": [first[0], *(o for o, _ in others)]}
        activation = section.activation()
        if activation != "none":
            layer["activation"] = activation
        self._add(layer, first[1])

    def _route(self, index: int, section: Section) -> None:
        sources = self._sources(index, section, "layers")
        groups = section.number("groups", 1, 1, 64)
        part = section.number("group_id", 0, 0, 63)
        stride = sources[0][1]
        if groups > 1:
            first = len(self.layers)
            for source, _ in sources:
                self.layers.append(
                    {"block": "Split", "from": source, "parts": groups, "part": part}
                )
                self.strides.append(stride)
            sources = [(first + k, stride) for k in range(len(sources))]
        if len(sources) == 1:
            self.outputs.append(sources[0][0])
            return
        self._add({"block": "Concat", "from": [source for source, _ in sources]}, stride)

    def _maxpool(self, index: int, section: Section) -> None:
        source, stride = self._before(index, section)
        step = section.number("stride", 1, 1, 64)
        size = section.number("size", step, 1, 64)
        if section.number("padding", size - 1, 0, 64) != size - 1:
            raise section.fail("only the usual padding, size - 1, is supported", "padding")
        before = (size - 1) // 2
        after = size - 1 - 2 * before
        layer = {"block": "MaxPool", "from": source, "kernel": size, "stride": step}
        layer |= {"padding": before}
        if after and step == 1:  # otherwise no window reaches beyond a map of even size
            layer |= {"after": after}
        self._add(layer, stride * step)

    def _upsample(self, index: int, section: Section) -> None:
        source, stride = self._before(index, section)
        scale = section.number("stride", 2, 1, 32)
        if section.fraction("scale", 1.0, 0.0, 1e6) != 1.0 or stride % scale:
            raise section.fail("only plain enlarging by what was shrunk before is supported")
        self._add({"block": "Upsample", "from": source, "scale": scale}, stride // scale)

    def _dropout(self, index: int, section: Section) -> None:
        source, stride = self._before(index, section)
        probability = section.fraction("probability", 0.5, 0.0, 1.0)
        self._add({"block": "Dropout", "from": source, "probability": probability}, stride)

    def _avgpool(self, index: int, section: Section) -> None:
        following = self.sections[index + 1].kind if index + 1 < len(self.sections) else ""
        if following != "convolutional":
            raise section.fail("expected the convolution to the classes after it")
        self.outputs.append(self._before(index, section)[0])

    def _nothing(self, index: int, section: Section) -> None:
        """What only Darknet's training needs, after the last convolution."""
        if index + 1 < len(self.sections) and self.sections[index + 1].kind not in (
            "softmax",
            "cost",
        ):
            raise section.fail("is only supported at the end")
        self.outputs.append(None)

    def _detector(self) -> DarknetModel:
        """The levels, from fine to coarse, as one head."""
        order = sorted(range(len(self.levels)), key=lambda k: self.levels[k].stride)
        levels = [self.levels[k] for k in order]
        classes = levels[0].section.number("classes", 20, 1)
        anchors, scales, coded = [], [], set()
        for level in levels:
            anchors.append(level.section.anchors())
            scales.append(level.section.fraction("scale_x_y", 1.0, 1.0, 4.0))
            coded.add(level.section.number("new_coords", 0, 0, 1))
            filters = level.convolution.number("filters", 1, 1)
            wanted = len(anchors[-1]) // 2 * (5 + classes)
            if level.section.number("classes", 20, 1) != classes:
                raise level.section.fail(
                    f"every [yolo] must have the same classes; another one has {classes}", "classes"
                )
            if filters != wanted:
                raise level.convolution.fail(
                    f"{filters} filters before a [yolo] of {len(anchors[-1]) // 2} anchors and"
                    f" {classes} classes; expected {wanted}",
                    "filters",
                )
        if len(coded) > 1 or len({len(level) for level in anchors}) > 1:
            raise levels[0].section.fail(
                "every [yolo] must have as many anchors as the others and the same new_coords"
            )
        head = {
            "block": "AnchorHead",
            "from": [level.source for level in levels],
            "num_classes": "nc",
            "anchors": "anchors",
            "implicit": False,
            "scale_xy": scales,
            "exponential": not coded.pop(),
        }
        for number, level in enumerate(levels):
            name = f"head.levels.{number}"
            self.convolutions.append((level.convolution, level.number, name))
        self.layers.append(head)
        places = tuple(order.index(k) for k in range(len(self.levels)))
        return self._finished(classes, tuple(map(tuple, anchors)), places)

    def _finished(
        self, classes: int, anchors: tuple[tuple[float, ...], ...], order: tuple[int, ...]
    ) -> DarknetModel:
        description: dict[str, Any] = {"nc": classes}
        if anchors:
            description["anchors"] = [list(level) for level in anchors]
        description |= {"backbone": self.layers[:-1], "head": self.layers[-1:]}
        text = yaml.safe_dump(description, sort_keys=False, width=2**31)
        width, height = (self.net.number(key, 0, 0) for key in ("width", "height"))
        convolutions = sorted(self.convolutions, key=lambda one: one[1])
        return DarknetModel(
            spec=ModelSpec.from_text(text, self.file),
            image_size=(width, height) if width and height else None,
            convolutions=tuple(_named(*one) for one in convolutions),
            yolo_order=order,
        )


def _named(section: Section, index: int, name: str) -> Convolution:
    normalised = bool(section.number("batch_normalize", 0, 0, 1))
    norm = f"{name}.norm" if normalised else None
    bias = f"{norm or name + '.conv'}.bias"
    return Convolution(section.line, index, f"{name}.conv.weight", bias, norm)
