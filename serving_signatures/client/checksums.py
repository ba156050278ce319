"""Values of a store that others write to too, each behind a checksum of itself and its key."""

import hashlib
from collections.abc import Sequence

CHECKSUM_BYTES = 8


class Checksums:
    """Puts a checksum before a value, and takes it off where it is right.

    A value that was cut, changed, replaced by zeros or written under another key has another
    checksum. It is BLAKE2b of 64 bits: one damaged value in 10^19 would pass.

    Args:
      context: what a value is also bound to, such as the layout that it is read by.
    """

    def __init__(self, context: bytes = b"") -> None:
        self._begun = hashlib.blake2b(context, digest_size=CHECKSUM_BYTES)

    def sealed(self, key: str, value: bytes) -> bytes:
        """Returns a value as it is stored."""
        return self._of(key, value) + value

    def of_rows(self, keys: Sequence[str], rows: bytes) -> bytes:
        """Returns the checksums of values of equal length, one after another.

        Args:
          keys: of the values.
          rows: the values, one after another.
        """
        width, values = len(rows) // max(len(keys), 1), memoryview(rows)
        return b"".join(
            [
                self._of(key, values[number * width : (number + 1) * width])
                for number, key in enumerate(keys)
            ]
        )

    def opened(self, key: str, stored: object) -> bytes | None:
        """Returns the value of what was stored; None for what does not verify."""
        if not isinstance(stored, bytes):
            return None
        value = stored[CHECKSUM_BYTES:]
        return value if stored[:CHECKSUM_BYTES] == self._of(key, value) else None

    def _of(self, key: str, value: bytes | memoryview) -> bytes:
        checksum = self._begun.copy()
        checksum.update(key.encode() + b"\0")
        checksum.update(value)
        return checksum.digest()
