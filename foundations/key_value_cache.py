"""What attention has computed for earlier places, kept for the later ones."""

from torch import Tensor

from foundations.errors import require


class KeyValueCache:
    """The keys and values of the places that an attention layer has seen, so that each new one is computed alone.

    Room for `capacity` places is taken once; nothing is copied as it fills.
    """

    def __init__(self, capacity: int) -> None:
        require(capacity >= 1, "capacity", capacity, "at least 1 place")
        self.capacity, self.length = capacity, 0
        self._keys: Tensor | None = None
        self._values: Tensor | None = None

    def extend(self, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
        """Add places behind the others; gives all keys and values so far.

        Shapes: (batch, heads, places, features each) -> (batch, heads, all places, features each).
        Raises: InputError where they find no room, or another batch came before.
        """
        if self._keys is None or self._values is None:
            shape = (*key.shape[:2], self.capacity, key.shape[3])
            self._keys, self._values = key.new_empty(shape), value.new_empty(shape)
        require(len(key) == len(self._keys), "batch", len(key), f"{len(self._keys)}, as the cache was begun with")
        end = self.length + key.shape[2]
        require(end <= self.capacity, "places", end, f"at most {self.capacity}, the room in the cache")
        self._keys[:, :, self.length : end] = key
        self._values[:, :, self.length : end] = value
        self.length = end
        return self._keys[:, :, :end], self._values[:, :, :end]

    def select(self, rows: Tensor) -> None:
        """Keep these rows of the batch in this order, as a beam search goes on with the best. Shapes: rows (n)."""
        if self._keys is not None and self._values is not None:
            self._keys, self._values = self._keys[rows], self._values[rows]
