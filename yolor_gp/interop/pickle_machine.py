"""The stack machine of a pickle, whose opcodes make inert values only."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from yolor_gp.interop import pickle_classes, pickle_names
from yolor_gp.interop.pickle_values import (
    Global,
    Instance,
    PickleRefusedError,
    StorageReference,
    describe,
)

_MAX_STRING = 1 << 24  # bytes of one string; weights are never kept inside the pickle
_MAX_COPIED = 3_000_000  # items copied from one value to another: a short file may ask for more

_CONSTANTS: dict[str, Any] = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
_LITERALS = frozenset({
    "INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT",
    "STRING", "BINSTRING", "SHORT_BINSTRING", "UNICODE", "BINUNICODE", "SHORT_BINUNICODE",
    "BINUNICODE8", "BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8",
})  # fmt: skip
_IGNORED = frozenset({"PROTO", "FRAME", "STOP"})


class PickleMachine:
    """The stack and memo of one pickle."""

    def __init__(self, storages: dict[str, StorageReference]) -> None:
        self.storages = storages
        self.stack: list[Any] = []
        self.marks: list[int] = []
        self.memo: dict[int, Any] = {}
        self.may_copy = _MAX_COPIED
        self.handlers: dict[str, Callable[[], Any]] = {
            "EMPTY_TUPLE": tuple, "EMPTY_LIST": list, "EMPTY_DICT": dict, "EMPTY_SET": set,
            "TUPLE": lambda: tuple(self.pop_mark()),
            "TUPLE1": lambda: tuple(self.pop(1)),
            "TUPLE2": lambda: tuple(self.pop(2)),
            "TUPLE3": lambda: tuple(self.pop(3)),
            "LIST": self.pop_mark,
            "DICT": lambda: self.set_items({}, self.pop_mark()),
            "FROZENSET": lambda: self.add_items(set(), self.pop_mark()),
            "APPEND": lambda: self.extend(self.pop(1)),
            "APPENDS": lambda: self.extend(self.pop_mark()),
            "SETITEM": lambda: self.fill(self.pop(2)),
            "SETITEMS": lambda: self.fill(self.pop_mark()),
            "ADDITEMS": self.add_marked,
            "STACK_GLOBAL": lambda: find_global(*self.pop(2)),
            "REDUCE": self.call,
            "NEWOBJ": lambda: new_instance(*self.pop(2)),
            "NEWOBJ_EX": self.new_with_keywords,
            "BUILD": self.build,
            "BINPERSID": self.load_storage,
            "DUP": lambda: self.top(),
        }  # fmt: skip

    def step(self, name: str, argument: Any) -> None:  # noqa: C901, PLR0912 a list of opcodes
        """Carry out one opcode.

        Raises:
            PickleRefusedError: When no checkpoint needs it, or it does not fit what came before.
        """
        if name in _CONSTANTS:
            self.stack.append(_CONSTANTS[name])
        elif name in _LITERALS:
            if isinstance(argument, str | bytes | bytearray) and len(argument) > _MAX_STRING:
                raise PickleRefusedError(f"it holds a string of {len(argument)} bytes")
            self.stack.append(argument)
        elif name in ("GET", "BINGET", "LONG_BINGET"):
            if argument not in self.memo:
                raise PickleRefusedError("damaged pickle (it refers to an object it never stored)")
            self.stack.append(self.memo[argument])
        elif name in ("PUT", "BINPUT", "LONG_BINPUT"):
            self.memo[argument] = self.top()
        elif name == "MEMOIZE":
            self.memo[len(self.memo)] = self.top()
        elif name == "GLOBAL":
            self.stack.append(find_global(*argument.split(" ", 1)))
        elif name == "MARK":
            self.marks.append(len(self.stack))
        elif name == "POP":
            self.pop(1)
        elif name == "POP_MARK":
            self.pop_mark()
        elif name in self.handlers:
            self.stack.append(self.handlers[name]())
        elif name not in _IGNORED:
            raise PickleRefusedError(
                f"it uses the pickle operation {name}, which no checkpoint needs"
            )

    def result(self) -> Any:
        """What the pickle holds.

        Raises:
            PickleRefusedError: When the stack does not hold exactly one value.
        """
        if len(self.stack) != 1 or self.marks:
            raise PickleRefusedError("damaged pickle (it ends in the middle of a value)")
        return self.stack[0]

    def top(self) -> Any:
        """The last value, which stays on the stack.

        Raises:
            PickleRefusedError: When there is none since the last mark.
        """
        if not self.stack or (self.marks and self.marks[-1] == len(self.stack)):
            raise PickleRefusedError("damaged pickle (a value is missing)")
        return self.stack[-1]

    def pop(self, count: int) -> list[Any]:
        """Take the last `count` values.

        Raises:
            PickleRefusedError: When there are fewer since the last mark.
        """
        if len(self.stack) - (self.marks[-1] if self.marks else 0) < count:
            raise PickleRefusedError("damaged pickle (a value is missing)")
        values = self.stack[-count:]
        del self.stack[-count:]
        return values

    def pop_mark(self) -> list[Any]:
        """Take every value since the last mark.

        Raises:
            PickleRefusedError: When there is no mark.
        """
        if not self.marks:
            raise PickleRefusedError("damaged pickle (a mark is missing)")
        start = self.marks.pop()
        values = self.stack[start:]
        del self.stack[start:]
        return values

    def extend(self, items: list[Any]) -> list[Any]:
        """Append to the list below.

        Raises:
            PickleRefusedError: When there is none.
        """
        target = self.pop(1)[0]
        if not isinstance(target, list):
            raise PickleRefusedError(f"it appends to {describe(target)}")
        target.extend(items)
        return target

    def fill(self, items: list[Any]) -> dict[Any, Any]:
        """Set items of the dictionary below.

        Raises:
            PickleRefusedError: When there is none, or an item is wrong.
        """
        target = self.pop(1)[0]
        if not isinstance(target, dict):
            raise PickleRefusedError(f"it sets items of {describe(target)}")
        return self.set_items(target, items)

    @staticmethod
    def set_items(target: dict[Any, Any], items: list[Any]) -> dict[Any, Any]:
        """Keys and values in turn.

        Raises:
            PickleRefusedError: When a value is missing, or a key is not a harmless one.
        """
        if len(items) % 2:
            raise PickleRefusedError("damaged pickle (a dictionary key without its value)")
        for key, value in zip(items[::2], items[1::2], strict=True):
            target[pickle_classes.check_key(key)] = value
        return target

    @staticmethod
    def add_items(target: set[Any], items: list[Any]) -> set[Any]:
        """Members of a set."""
        target.update(pickle_classes.check_key(item) for item in items)
        return target

    def add_marked(self) -> set[Any]:
        """Add members to the set below the mark.

        Raises:
            PickleRefusedError: When there is no mark or no set, or a member is not a harmless one.
        """
        items = self.pop_mark()
        target = self.pop(1)[0]
        if not isinstance(target, set):
            raise PickleRefusedError(f"it adds members to {describe(target)}")
        return self.add_items(target, items)

    def load_storage(self) -> StorageReference:
        """Refer to numbers stored elsewhere in the file.

        Raises:
            PickleRefusedError: When the same numbers were described in another way before.
        """
        storage = pickle_names.load_storage(self.pop(1)[0])
        known = self.storages.setdefault(storage.key, storage)
        if (known.dtype, known.length) != (storage.dtype, storage.length):
            raise PickleRefusedError(f"it describes storage {storage.key!r} in two ways")
        return known

    def call(self) -> Any:
        """Call an allowed name."""
        function, arguments = self.pop(2)
        self.charge(arguments if isinstance(arguments, tuple) else ())
        return pickle_names.call(function, arguments)

    def charge(self, values: tuple[Any, ...]) -> None:
        """Count what is about to be copied.

        Raises:
            PickleRefusedError: When it is more than a whole checkpoint needs.
        """
        sizes = (len(v) for v in values if isinstance(v, str | bytes | list | tuple | dict | set))
        self.may_copy -= sum(sizes)
        if self.may_copy < 0:
            raise PickleRefusedError("it copies the same values over and over")

    def new_with_keywords(self) -> Instance:
        """`cls.__new__(cls, *arguments, **keywords)`, recorded without the keywords.

        Raises:
            PickleRefusedError: When the keywords are no dictionary, or `cls` is no class.
        """
        kind, arguments, keywords = self.pop(3)
        if not isinstance(keywords, dict):
            raise PickleRefusedError("damaged pickle (keyword arguments are no dictionary)")
        return new_instance(kind, arguments)

    def build(self) -> Any:
        """Give a recorded object its `__dict__`; attributes of dictionaries are dropped.

        Raises:
            PickleRefusedError: When it is anything else.
        """
        target, state = self.pop(2)
        if isinstance(target, Instance):
            parts = state[:2] if isinstance(state, tuple) else (state,)
            self.charge(parts)
            for part in parts:
                if isinstance(part, dict):
                    target.state.update(part)
        elif not isinstance(target, dict):
            raise PickleRefusedError(f"it sets the state of {describe(target)}")
        return target


def find_global(module: object, name: object = "") -> Any:
    """An allowed name.

    Raises:
        PickleRefusedError: When it is not among the allowed ones.
    """
    if not isinstance(module, str) or not isinstance(name, str):
        raise PickleRefusedError("damaged pickle (a class without a name)")
    return pickle_names.find_name(module, name)


def new_instance(kind: object, arguments: object) -> Instance:
    """Record an object of a class that is not imported.

    Raises:
        PickleRefusedError: When `kind` is no class, or the arguments are no tuple.
    """
    if not isinstance(kind, Global) or not pickle_classes.is_class(kind):
        raise PickleRefusedError(f"it makes an object of {describe(kind)}")
    if not isinstance(arguments, tuple):
        raise PickleRefusedError(f"it makes a {kind} from something that is no tuple")
    return Instance(kind, arguments)
