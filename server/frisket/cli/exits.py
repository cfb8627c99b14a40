"""Exit codes by error kind, for scripts. 0 = done, 1 = not listed here, 2 = misuse of the command line (click's)."""

from __future__ import annotations

from frisket.errors import Kind

EXIT: dict[Kind, int] = {
    Kind.BAD_REQUEST: 3,
    Kind.UNAUTHENTICATED: 4,
    Kind.MISSING: 5,
    Kind.CONFLICT: 6,
    Kind.TOO_LARGE: 7,
    Kind.BUSY: 8,
    Kind.OUT_OF_MEMORY: 9,
    Kind.CANCELLED: 10,
    Kind.UNAVAILABLE: 11,
    Kind.UNSUPPORTED: 12,
    Kind.INTERNAL: 13,
}
