"""A server in one line."""

from __future__ import annotations

import pytest

from frisket.client.link import Link, is_link, parse
from frisket.errors import LinkInvalid

PIN = "0123456789abcdef" * 4


@pytest.mark.parametrize("address", ["10.0.0.7:7411", "gpu-box.example:80", "[fe80::1]:7411"])
def test_a_line_says_what_it_was_made_of(address: str) -> None:
    link = Link(address, "aB_-9", PIN)
    assert parse(f"  {link}\n") == link
    assert is_link(f" {link}")
    assert "aB_-9" not in repr(link), "a token is not for logs"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "frisket://",
        f"frisket://tok@host/{PIN}",
        f"frisket://tok@host:1/{PIN[:-1]}",
        f"frisket://tok@host:1/{PIN}0",
        f"frisket://@host:1/{PIN}",
        f"frisket://tok@ho st:1/{PIN}",
        f"https://tok@host:1/{PIN}",
        f"frisket://tok@host:1/{PIN}\nfrisket://tok@host:1/{PIN}",
    ],
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(LinkInvalid):
        parse(text)
    assert not is_link("127.0.0.1:7411")
