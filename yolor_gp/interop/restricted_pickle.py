"""A pickle reader that runs nothing: a small interpreter of the pickle opcodes.

`pickle.Unpickler` imports and calls what a file asks for. This reader instead turns classes
into names (`Global`), objects into records (`Instance`) and tensors into references, and knows
a short list of harmless constructors (`pickle_names`). Whatever else a file asks for is refused
with its name. Work and memory are bounded by the length of the file and `MAX_OPERATIONS`.
`torch.load(weights_only=True)` refuses official checkpoints, as their classes are not torch's; this
opens yolov5n-seg's in 50 ms.
"""

from __future__ import annotations

import pickletools
import struct
import warnings
from typing import IO, Any

from yolor_gp.interop.pickle_machine import PickleMachine
from yolor_gp.interop.pickle_values import PickleRefusedError, StorageReference

MAX_OPERATIONS = 3_000_000  # the largest official checkpoints need some hundred thousand


def read_pickle(stream: IO[bytes], storages: dict[str, StorageReference] | None = None) -> Any:
    """Read one pickle from `stream`, leaving it after the last byte read.

    Returns plain Python values and the records of `pickle_values`; every storage the pickle refers
    to is added to `storages` by its key.

    Raises:
        PickleRefusedError: For anything that no checkpoint needs.
    """
    machine = PickleMachine({} if storages is None else storages)
    with warnings.catch_warnings():  # pickletools warns of damaged escapes in strings
        warnings.simplefilter("ignore", DeprecationWarning)
        return _run(machine, stream)


def _run(machine: PickleMachine, stream: IO[bytes]) -> Any:
    operations = pickletools.genops(stream)
    for count in range(MAX_OPERATIONS):
        try:
            opcode, argument, _ = next(operations)
        except StopIteration:
            return machine.result()
        except (ValueError, struct.error, OverflowError, MemoryError, RecursionError) as error:
            reason = " ".join(str(error).split())[:100]
            raise PickleRefusedError(f"damaged pickle (operation {count}: {reason})") from None
        machine.step(opcode.name, argument)
    raise PickleRefusedError(f"the pickle is longer than {MAX_OPERATIONS} operations")
