"""Which engines the server offers: read again when models have come or gone, by its own doing or another process's."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from frisket.engines.registry import Registry
from frisket.models.folder import Folder


class Shelf:
    """The models' folder, and a registry that is never older than it.

    make: builds a registry of what is installed now; called in a thread. renewed: called in the event loop's thread
    when what is installed has changed: whoever holds engines of its own should get new ones.
    """

    def __init__(
        self, folder: Folder, make: Callable[[], Registry], renewed: Callable[[], None] = lambda: None
    ) -> None:
        self.folder, self._make, self._renewed = folder, make, renewed
        self._stamp = folder.stamp()
        self._registry = make()
        self._reading = asyncio.Lock()

    async def registry(self) -> Registry:
        """The engines as of now. Costs a look at the folder, and a read of it when it has changed."""
        async with self._reading:
            stamp = await asyncio.to_thread(self.folder.stamp)
            if stamp != self._stamp:
                self._registry = await asyncio.to_thread(self._make)
                self._stamp = stamp
                self._renewed()
            return self._registry
