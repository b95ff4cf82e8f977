"""What decides a training run of any task, made of flags and a recipe; kept in the run folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, Self, TypeVar

import yaml
from pydantic import Field, PlainSerializer, PlainValidator, ValidationError

from yolor_gp.config.overrides import apply_overrides
from yolor_gp.config.train_config import Recipe
from yolor_gp.config.validate import Settings, validate
from yolor_gp.config.yaml_source import parse_yaml
from yolor_gp.errors import UserError, raise_problems
from yolor_gp.ops.image_size import SMALLEST_SIDE, AnySize, ImageSize


def _input_size(value: AnySize) -> ImageSize:
    size = ImageSize.of(value)
    if min(size) < SMALLEST_SIDE:
        raise ValueError(f"sides are at least {SMALLEST_SIDE} px")
    return size


InputSize = Annotated[ImageSize, PlainValidator(_input_size), PlainSerializer(lambda s: s.plain)]
"""A size in a settings file: one side, or width and height."""


class RunSettings(Settings):
    """What every run has, and how it is run, which is free to change on resume (from `device` on).

    A task adds what is trained on what, and its own recipe. batch_size counts images over all
    processes; 0 stands for `auto`.
    """

    cfg: str | None = Field(None, description="model file; None: that of the weights")
    weights: str | None = None
    batch_size: int = Field(16, ge=0)
    seed: int = Field(0, ge=0, lt=2**32)
    precision: str = "auto"
    freeze: tuple[str, ...] = Field((), description="layers that keep their weights")
    time: float = Field(0, ge=0, description="seconds that decide the epochs; 0: the recipe does")
    recipe: Recipe = Recipe()

    device: str = "auto"
    workers: int = Field(4, ge=0)
    compile: bool = False
    deterministic: bool = False
    sync_batchnorm: Literal["auto", "on", "off"] = "auto"
    save_period: int = Field(0, ge=0, description="epochs between weights kept apart; 0: none")
    save_every: int = Field(0, ge=0, description="optimizer steps; 0: once an epoch")
    skip_limit: int = Field(10, ge=1, description="non-finite steps in a row before giving up")
    log_gradients: bool = Field(False, description="measure |gradient| per layer and channel")
    log: tuple[str, ...] = Field(("tensorboard",), description="loggers beside metrics.csv")
    timeout: float = Field(600, gt=0, description="seconds a collective may take")
    heartbeat: float = Field(120, gt=0, description="seconds of silence of a lost process")

    def to_yaml(self) -> str:
        """Readable back by validating it as the same class."""
        return yaml.safe_dump(self.model_dump(mode="json"), sort_keys=False)

    @classmethod
    def of_flags(cls, given: Mapping[str, Any]) -> Self:
        """The given fields over the defaults.

        Raises:
            UserError: With a line for each flag that is wrong.
        """
        try:
            return cls(**given)
        except ValidationError as error:
            problems = (
                f"--{flag_of(str(detail['loc'][0]))} {detail['input']}: {detail['msg'].lower()}"
                for detail in error.errors()
            )
            raise UserError(*problems) from None

    def with_free_flags(
        self, given: Mapping[str, Any], overrides: Sequence[str], where: str
    ) -> Self:
        """The settings of a run that is resumed with the flags that may change.

        Raises:
            UserError: For every flag that contradicts the run at `where`.
        """
        problems = [
            f"--{flag_of(name)} {value}: contradicts the resumed run, whose value is"
            f" {getattr(self, name)} ({where}); leave the flag out, or start a new run with"
            " --weights"
            for name, value in given.items()
            if name not in FREE_ON_RESUME and not _same(name, value, self)
        ]
        problems += [
            f"--set {text}: contradicts the resumed run ({where}); leave it out"
            for text in overrides
            if _changes(self.recipe, text)
        ]
        raise_problems(problems)
        free = {name: value for name, value in given.items() if name in FREE_ON_RESUME}
        return self.model_copy(update=free)


SettingsOfRun = TypeVar("SettingsOfRun", bound=RunSettings)

FREE_ON_RESUME = (
    "device", "workers", "cache", "compile", "deterministic", "sync_batchnorm", "save_every",
    "save_period", "skip_limit", "log_gradients", "log", "timeout", "heartbeat",
)  # fmt: skip
"""Fields that may differ from the resumed run."""

_FLAGS = {"image_size": "img", "sync_batchnorm": "sync-bn"}


def flag_of(name: str) -> str:
    """The flag that sets a field, without its dashes."""
    return _FLAGS.get(name, name.replace("_", "-"))


def _same(name: str, value: Any, saved: RunSettings) -> bool:
    # `auto` was resolved when the run began.
    is_auto = (name, value) in (("precision", "auto"), ("batch_size", 0))
    given = getattr(type(saved).of_flags({name: value}), name)
    return is_auto or bool(getattr(saved, name) == given)


def _changes(recipe: Recipe, text: str) -> bool:
    node = parse_yaml(yaml.safe_dump(recipe.model_dump(mode="json")), "the resumed recipe")
    return validate(apply_overrides(node, [text]), type(recipe)) != recipe
