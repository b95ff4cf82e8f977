"""Parts under names: what is built in, and what plugins bring."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Generic, TypeVar

from yolor_gp.config.suggest import did_you_mean
from yolor_gp.errors import UserError

Part = TypeVar("Part")


class Registry(Generic[Part]):
    """Parts of one kind by the names that users write.

    Attributes:
        kind: Of the parts, for messages.
        parts: By name.
        reserved: Names that are known and are no parts.
    """

    def __init__(
        self,
        kind: str,
        parts: Mapping[str, Part] | None = None,
        *,
        reserved: Sequence[str] = (),
    ) -> None:
        self.kind, self.reserved = kind, tuple(reserved)
        self.parts: dict[str, Part] = dict(parts or {})

    def register(self, *names: str) -> Callable[[Part], Part]:
        """A decorator that enters what it decorates under `names`.

        Raises:
            ValueError: When a name is taken.
        """

        def enter(part: Part) -> Part:
            for name in names:
                if name in self.parts or name in self.reserved:
                    raise ValueError(f"{self.kind} '{name}' is registered twice")
                self.parts[name] = part
            return part

        return enter

    def find(self, name: str, where: str) -> Part:
        """The part of that name, which stands at `where`: a flag, a key, a file.

        Raises:
            UserError: When there is none, with those there are.
        """
        if name not in self.parts:
            raise UserError(self.unknown(name, where))
        return self.parts[name]

    def unknown(self, name: str, where: str) -> str:
        """What is answered to a name that is not known."""
        known = ", ".join([*self.reserved, *self.parts]) or "none"
        return (
            f"{where}: unknown {self.kind} '{name}'{did_you_mean(name, self.parts)}"
            f" (known: {known}; --plugins may bring more)"
        )
