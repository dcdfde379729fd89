"""Named random generators: independent streams, one per consumer."""

import hashlib
from typing import ClassVar

import numpy as np


class Streams:
    """Generators of one run.

    A generator's state depends on the run's seed, the replication and its own name alone, so a
    new consumer never changes what another one draws.

    The state is that of a NumPy ``SeedSequence`` whose spawn key is the replication and a BLAKE2
    hash of the name: independent streams without a list of consumers.
    """

    made: ClassVar[int] = 0
    """Generators that this process has made: none new, and nothing was drawn at random."""

    def __init__(self, seed: int, replication: int = 0) -> None:
        self._seed, self._replication = seed, replication
        self._generators: dict[str, np.random.Generator] = {}

    def __call__(self, name: str) -> np.random.Generator:
        """Return the generator of a name, the same object at every call."""
        if name not in self._generators:
            digest = hashlib.blake2b(name.encode(), digest_size=16).digest()
            words = np.frombuffer(digest, "<u4").tolist()
            key = np.random.SeedSequence(self._seed, spawn_key=(self._replication, *words))
            self._generators[name] = np.random.default_rng(key)
            Streams.made += 1
        return self._generators[name]
