"""Where a picture comes from: the packet, what XML parsers make of it, and what is not believed."""

from __future__ import annotations

from dataclasses import replace
from xml.etree import ElementTree

import pytest

from frisket.raster.provenance import (
    IPTC,
    MOST_WORDS,
    OURS,
    RDF,
    MadeBy,
    Source,
    packet,
    read,
    read_source,
    source_of,
    text_of,
)

MADE = MadeBy("Frisket 0.1.0", Source.COMPOSITE_TRAINED, "sd15", "inpaint", 2**32 - 1, "ab" * 32, "sd15", "c0ffee")
SAYS = f'<rdf:RDF xmlns:rdf="{RDF}" xmlns:i="{IPTC}">{{}}</rdf:RDF>'


@pytest.mark.parametrize(
    "made",
    [
        MADE,
        replace(MADE, model="", revision="", request="", source=Source.ALTERED),
        replace(MADE, prompt="a <b> & \"c\" 'd' ]]>\nTürme 塔 🗼", engine="über&co"),
        *(replace(MADE, source=source) for source in Source),
    ],
)
def test_a_packet_comes_back(made: MadeBy) -> None:
    assert read(packet(made)) == made


def test_a_packet_is_rdf_that_says_the_source_by_its_full_name() -> None:
    root = ElementTree.fromstring(packet(MADE))
    (about,) = root.iter(f"{{{RDF}}}Description")
    told = {child.tag: child.text for child in about}
    prefix = "http://cv.iptc.org/newscodes/digitalsourcetype/"
    assert told[f"{{{IPTC}}}DigitalSourceType"] == prefix + "compositeWithTrainedAlgorithmicMedia"
    assert told[f"{{{IPTC}}}AISystemUsed"] == "sd15"
    assert told[f"{{{IPTC}}}AISystemVersionUsed"] == "c0ffee"
    assert told[f"{{{OURS}}}seed"] == "4294967295"
    assert f"{{{IPTC}}}AIPromptInformation" not in told
    assert not any("AISystem" in str(tag) for tag in read_tags(replace(MADE, source=Source.ALTERED)))


def read_tags(made: MadeBy) -> list[str]:
    return [node.tag for node in ElementTree.fromstring(packet(made)).iter()]


def test_the_sources_are_iptcs() -> None:
    """The names as IPTC's vocabulary of 2024-09-17 has them."""
    assert {source.value for source in Source} == {
        "algorithmicallyEnhanced",
        "algorithmicMedia",
        "compositeWithTrainedAlgorithmicMedia",
        "trainedAlgorithmicMedia",
    }


def test_which_source_an_edit_leads_to() -> None:
    assert source_of(trained=True, from_nothing=True) is Source.TRAINED
    assert source_of(trained=False, from_nothing=True) is Source.ALGORITHM
    assert source_of(trained=True, from_nothing=False) is Source.COMPOSITE_TRAINED
    assert source_of(trained=False, from_nothing=False) is Source.ALTERED
    for before in (Source.TRAINED, Source.COMPOSITE_TRAINED):  # it is not washed off
        assert source_of(trained=False, from_nothing=False, before=before) is Source.COMPOSITE_TRAINED
    assert source_of(trained=False, from_nothing=False, before=Source.ALGORITHM) is Source.ALTERED


def test_the_prompt_is_only_in_the_packet_and_only_when_it_is_there() -> None:
    made = replace(MADE, prompt="a secret garden")
    assert b"a secret garden" in packet(made)
    assert b"secret" not in packet(MADE)
    assert "secret" not in str(text_of(made))


def test_text_leaves_out_what_is_empty() -> None:
    told = text_of(replace(MADE, model="", revision=""))
    assert told["Software"] == "Frisket 0.1.0"
    assert told["frisket:seed"] == "4294967295"
    assert "frisket:model" not in told


def test_what_xml_cannot_hold_does_not_break_it() -> None:
    got = read(packet(replace(MADE, prompt="a\x00b\x0bc\ud800d\ufffe")))
    assert got is not None
    assert got.prompt == "a\ufffdb\ufffdc\ufffdd\ufffd"


def test_a_packet_always_fits_a_jpeg() -> None:
    for letter in "&塔🗼":
        made = replace(MADE, prompt=letter * 20_000, engine=letter * 1000)
        assert len(packet(made)) < 65_503
        got = read(packet(made))
        assert got is not None
        assert len(got.prompt) == MOST_WORDS
        assert got.prompt.endswith("…")


@pytest.mark.parametrize(
    "xmp",
    [
        b"",
        b"nonsense",
        b"<a>",
        b"\xff\xfe<\0a\0",
        packet(MADE)[:-40],
        packet(MADE).replace(b">4294967295<", b">-1<"),
        packet(MADE).replace(b">4294967295<", b">" + b"9" * 5000 + b"<"),
        packet(MADE).replace(b"compositeWith", b"x"),
        packet(MADE) + b" " * (1 << 20),
        SAYS.format("<rdf:Description/>").encode(),
    ],
)
def test_what_is_no_packet_of_ours_says_nothing(xmp: bytes) -> None:
    assert read(xmp) is None


def test_entities_are_not_expanded() -> None:
    """Ten times ten times ... a kilobyte that would be a terabyte."""
    grow = "".join(f'<!ENTITY e{k} "{f"&e{k - 1};" * 10}">' for k in range(1, 12))
    bomb = f'<!DOCTYPE r [<!ENTITY e0 "x">{grow}]>' + SAYS.format('<rdf:Description i:DigitalSourceType="&e11;"/>')
    assert read_source(bomb.encode()) is None


@pytest.mark.parametrize(
    "body",
    [
        f'<rdf:Description i:DigitalSourceType="{Source.TRAINED.uri}"/>',
        f"<rdf:Description><i:DigitalSourceType>{Source.TRAINED.uri}</i:DigitalSourceType></rdf:Description>",
        f'<rdf:Description><!-- so --><i:DigitalSourceType rdf:resource="{Source.TRAINED.uri}"/></rdf:Description>',
    ],
)
def test_the_source_is_read_as_other_programs_write_it(body: str) -> None:
    assert read_source(SAYS.format(body).encode() + b"\0") is Source.TRAINED
    assert read(SAYS.format(body).encode()) is None


def test_a_source_that_is_none_of_ours() -> None:
    uri = Source.TRAINED.uri.replace("trainedAlgorithmicMedia", "digitalCapture")
    assert read_source(SAYS.format(f'<rdf:Description i:DigitalSourceType="{uri}"/>').encode()) is None
