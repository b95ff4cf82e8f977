"""A YAML node checked against a pydantic model: every problem at once, with file and line."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar, get_args

from pydantic import BaseModel, ConfigDict, ValidationError

from yolor_gp.config.suggest import did_you_mean
from yolor_gp.config.yaml_source import Location, Node
from yolor_gp.errors import UserError


class Settings(BaseModel):
    """The base of all settings: unknown keys are refused and values never change."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=False, allow_inf_nan=False)


SettingsType = TypeVar("SettingsType", bound=BaseModel)


def validate(node: Node, settings: type[SettingsType]) -> SettingsType:
    """Build `settings` from `node`.

    Raises:
        UserError: With one line per problem, naming file and line.
    """
    if not isinstance(node.value, dict):
        raise UserError(
            f"{node.location}: expected keys and values, found {type(node.value).__name__}"
        )
    try:
        return settings.model_validate(node.plain())
    except ValidationError as error:
        # Several lines for one value are the members of a union: none of them fits.
        problems: dict[tuple[str, str], str] = {}
        for detail in error.errors():
            location, path = _find(node, detail["loc"], detail["type"])
            text = _describe(detail["type"], detail, path, settings)
            key = (str(location), path)
            problems[key] = f"{problems[key]}; or {text}" if key in problems else text
        raise UserError(*(f"{key[0]}: {text}" for key, text in problems.items())) from None


def _find(node: Node, path: Sequence[str | int], kind: str) -> tuple[Location, str]:
    """The nearest location along a pydantic path, and the path as the user would write it."""
    location, words = node.location, []
    current: Node | None = node
    for step in path:
        if kind != "missing" and (current is None or not _has(current, step)):
            break  # the name of a union's member, which no user has written
        words.append(str(step))
        if current is None:
            continue
        if isinstance(current.value, dict) and str(step) in current.value:
            location = current.key_locations[str(step)]
            current = current.value[str(step)]
        elif isinstance(current.value, list) and isinstance(step, int):
            current = current.value[step]
            location = current.location
        else:
            current = None
    return location, ".".join(words)


def _has(node: Node, step: str | int) -> bool:
    if isinstance(node.value, dict):
        return str(step) in node.value
    return isinstance(node.value, list) and isinstance(step, int)


def _describe(kind: str, detail: object, path: str, settings: type[BaseModel]) -> str:
    assert isinstance(detail, dict)
    key = path.rsplit(".", 1)[-1]
    if kind == "extra_forbidden":
        known = _known_keys(settings, path.split(".")[:-1])
        return f"unknown key '{path}'{did_you_mean(key, known)} (known: {', '.join(known)})"
    if kind == "missing":
        return f"'{path}' is missing"
    message = str(detail["msg"])
    message = message.removeprefix("Value error, ")
    return f"'{path}': {message[0].lower()}{message[1:]}, found {detail['input']!r}"


def _known_keys(settings: type[BaseModel], path: Sequence[str]) -> list[str]:
    current = settings
    for step in path:
        field = current.model_fields.get(step)
        annotation = field.annotation if field else None
        # `Section | None` has the keys of `Section`.
        choices = [annotation, *get_args(annotation)]
        models = [
            item for item in choices if isinstance(item, type) and issubclass(item, BaseModel)
        ]
        if not models:
            return []
        current = models[0]
    return list(current.model_fields)
