"""A hash of all metrics of a run, to the bit, that can stop anywhere and go on."""

import struct
from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import Any

BLOCK_BYTES = 8192
NAMES_FOLLOW = -1
"""Where a step would stand: metrics have other names from here on."""


class Digest:
    """Rows of (step, values), chained: hash <- blake2b(hash + block), a block being some hundred rows."""

    def __init__(self) -> None:
        self._hash = b""
        self._block = bytearray()
        self._set_names(())

    def add(self, step: int, names: Sequence[str], values: Sequence[float]) -> None:
        """Take one row."""
        if names != self._names:
            self._set_names(tuple(names))
            text = "\0".join(names).encode()
            self._block += struct.pack("<qq", NAMES_FOLLOW, len(text)) + text
        self._block += self._pack(step, *values)
        if len(self._block) >= BLOCK_BYTES:
            self._hash = self._chain()
            self._block.clear()

    def hex(self) -> str:
        """The hash of all rows so far."""
        return self._chain().hex()

    def state_dict(self) -> dict[str, Any]:
        """All that `add` needs to go on."""
        return {"hash": self._hash.hex(), "block": self._block.hex(), "names": list(self._names)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from `state`."""
        self._hash, self._block = bytes.fromhex(state["hash"]), bytearray.fromhex(state["block"])
        self._set_names(tuple(state["names"]))

    def _chain(self) -> bytes:
        return blake2b(self._hash + self._block, digest_size=16).digest()

    def _set_names(self, names: tuple[str, ...]) -> None:
        self._names, self._pack = names, struct.Struct(f"<q{len(names)}d").pack
