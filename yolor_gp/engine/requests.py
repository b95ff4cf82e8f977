"""What is to be trained, as flags say it: the same for a program and for Python."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypedDict

from yolor_gp.config.suggest import did_you_mean
from yolor_gp.errors import UserError, raise_problems
from yolor_gp.ops.image_size import AnySize

TRAIN_RUNS = Path("runs/train")
CLASSIFY_RUNS = Path("runs/classify")


class RunFlags(TypedDict, total=False):
    """What the training of every task takes, by the names of the flags."""

    hyp: str
    img: AnySize
    batch_size: int | Literal["auto"]
    save_period: int
    epochs: int
    time: float | str
    freeze: str | int | Sequence[str | int]
    patience: int
    set: Mapping[str, Any] | Sequence[str]
    device: str
    workers: int
    precision: str
    compile: bool
    deterministic: bool
    seed: int
    project: str | Path
    name: str
    exist_ok: bool
    save_every: int
    skip_limit: int
    log: str | Sequence[str]
    log_gradients: bool
    sync_bn: Literal["auto", "on", "off"]
    timeout: float
    heartbeat: float


_WHAT = ("cfg", "data", "weights", "resume")
"""Flags that say what is trained."""

_SECONDS = {"s": 1, "m": 60, "h": 3600}

_FIELDS = {"img": "image_size", "sync_bn": "sync_batchnorm"}
"""Flags whose field in the settings has another name."""

_RECIPE_KEYS = {"epochs": "schedule.epochs", "patience": "schedule.patience"}
"""Flags that are short for a key of the recipe."""


@dataclass(frozen=True)
class TrainRequest:
    """What is to be trained, as flags say it.

    Attributes:
        given: Fields of the settings by name, only those that were given.
        overrides: Of the recipe, `section.key=value`.
        resume: None for a new run; a run folder or checkpoint; "" for the latest run.
        project: Where run folders go.
        name: Of the run folder.
        exist_ok: Write into a run folder that exists.
    """

    given: Mapping[str, Any]
    overrides: tuple[str, ...] = ()
    resume: str | None = None
    project: Path = TRAIN_RUNS
    name: str = "exp"
    exist_ok: bool = False


def request_of(
    flags: Mapping[str, Any], own: Iterable[str], project: Path = TRAIN_RUNS
) -> TrainRequest:
    """A request from flags by name: fields of the settings, of the recipe and of the folder.

    Args:
        flags: Those that were given. `set` holds overrides: a sequence of "key=value", or a
            mapping from key to value.
        own: The names of the flags that the task takes.
        project: Where run folders go unless the flags say.

    Raises:
        UserError: For names that are no flags.
    """
    known = [*own, *_WHAT]
    raise_problems(
        f"train: unknown argument '{name}'{did_you_mean(name, known)}"
        for name in flags
        if name not in known and name not in _FIELDS.values()
    )
    given = {_FIELDS.get(name, name): value for name, value in flags.items()}
    if given.get("batch_size") == "auto":
        given["batch_size"] = 0
    if "time" in given:
        given["time"] = seconds_of(given["time"])
    for name in ("classes", "freeze", "log"):
        if name in given:
            value = given[name]
            words = [value] if isinstance(value, str | int) else value
            given[name] = tuple(str(word) for word in words)
    changes = given.pop("set", ())
    overrides = [*changes] if not isinstance(changes, Mapping) else []
    if isinstance(changes, Mapping):
        overrides = [f"{key}={value}" for key, value in changes.items()]
    for name, key in _RECIPE_KEYS.items():
        if name in given:
            overrides.append(f"{key}={given.pop(name)}")
    around: dict[str, Any] = {
        key: given.pop(key) for key in ("resume", "name", "exist_ok") if key in given
    }
    where = Path(given.pop("project", project))
    return TrainRequest(given, tuple(overrides), project=where, **around)


def seconds_of(time: float | str) -> float:
    """Seconds as a number, or as text: 90s, 45m, 1.5h.

    Raises:
        UserError: For any other text, and for times that are not positive.
    """
    if not isinstance(time, str):
        return time
    number, unit = time[:-1], time[-1:]
    try:
        seconds = float(number) * _SECONDS[unit]
    except (KeyError, ValueError):
        seconds = 0.0
    if not 0 < seconds < 1e9:
        raise UserError(f"--time {time}: expected a time such as 90s, 45m or 1.5h")
    return seconds
