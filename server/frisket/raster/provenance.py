"""Where a picture comes from, as an XMP packet and back: which program, engine and model, and how far AI made it.

XMP is ISO 16684-1 (RDF/XML in an `xpacket`). The digital source types are IPTC's NewsCodes of that name, the AI*
properties IPTC's Photo Metadata Standard 2025.1. Standard library only; a packet read is a stranger's and may lie.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Iterator
from dataclasses import dataclass
from xml.etree import ElementTree
from xml.sax.saxutils import escape

VOCABULARY = "http://cv.iptc.org/newscodes/digitalsourcetype/"
RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
XMP = "http://ns.adobe.com/xap/1.0/"
IPTC = "http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
OURS = "urn:frisket:made-by:1:"
PREFIXES = {"xmp": XMP, "Iptc4xmpExt": IPTC, "frisket": OURS}
MOST_BYTES = 1 << 20  # of a packet that is read
MOST_WORDS = 8000  # characters of a prompt kept: escaped, it still fits a JPEG's 65,502 bytes
MOST_NAME = 500  # of the other values
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # XML 1.0, production 2


class Source(enum.Enum):
    """IPTC's digital source types that an edit can lead to. The values are their names in the vocabulary."""

    ALTERED = "algorithmicallyEnhanced"  # changed by an algorithm without a trained model
    ALGORITHM = "algorithmicMedia"  # made by such an algorithm alone
    COMPOSITE_TRAINED = "compositeWithTrainedAlgorithmicMedia"  # a part is a trained model's
    TRAINED = "trainedAlgorithmicMedia"  # a trained model's altogether

    @property
    def uri(self) -> str:
        return VOCABULARY + self.value


@dataclass(frozen=True, slots=True)
class MadeBy:
    """What is told of an edited picture. software: "Frisket 0.1.0"; request: sha256 of the request, 64 hex digits;
    model and its revision "" when there is none, prompt "" when it is not to be told.
    """

    software: str
    source: Source
    engine: str
    task: str
    seed: int
    request: str = ""
    model: str = ""
    revision: str = ""
    prompt: str = ""


def source_of(trained: bool, from_nothing: bool, before: Source | None = None) -> Source:
    """trained: the engine is a trained model; from_nothing: no old picture was changed; before: of the old picture.

    What a trained model had a part in stays so, whoever works on it next.
    """
    if from_nothing:
        return Source.TRAINED if trained else Source.ALGORITHM
    if trained or before in (Source.TRAINED, Source.COMPOSITE_TRAINED):
        return Source.COMPOSITE_TRAINED
    return Source.ALTERED


def text_of(made: MadeBy) -> dict[str, str]:
    """The facts by the keywords of a PNG's text chunks. What is empty is left out, and so is the prompt."""
    facts = {"Software": made.software} | {f"frisket:{name}": value for name, value in _ours(made).items()}
    facts["DigitalSourceType"] = made.source.uri
    return {keyword: _clean(value, MOST_NAME) for keyword, value in facts.items() if value}


def packet(made: MadeBy) -> bytes:
    """UTF-8, read-only, no padding. A prompt is cut to MOST_WORDS characters; what XML cannot hold becomes U+FFFD."""
    rows = [_element("xmp:CreatorTool", made.software), _element("Iptc4xmpExt:DigitalSourceType", made.source.uri)]
    if made.source in (Source.TRAINED, Source.COMPOSITE_TRAINED):
        rows.append(_element("Iptc4xmpExt:AISystemUsed", made.model or made.engine))
        rows.append(_element("Iptc4xmpExt:AISystemVersionUsed", made.revision))
    rows.append(_element("Iptc4xmpExt:AIPromptInformation", made.prompt, MOST_WORDS))
    rows += [_element(f"frisket:{name}", value) for name, value in _ours(made).items()]
    spaces = " ".join(f'xmlns:{prefix}="{uri}"' for prefix, uri in PREFIXES.items())
    return (
        '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>\n'
        f'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="{RDF}">\n'
        f'<rdf:Description rdf:about="" {spaces}>\n{"".join(rows)}</rdf:Description>\n'
        '</rdf:RDF></x:xmpmeta>\n<?xpacket end="r"?>'
    ).encode()


def read(xmp: bytes) -> MadeBy | None:
    """What `packet` wrote; None for a packet that says nothing of ours, or nothing that makes sense."""
    found = dict(_properties(xmp))
    ours = {name.removeprefix(OURS): value for name, value in found.items() if name.startswith(OURS)}
    source = _source(found)
    if source is None or not ours.get("engine") or not re.fullmatch("[0-9]{1,10}", ours.get("seed", ""), re.ASCII):
        return None
    return MadeBy(
        software=found.get(XMP + "CreatorTool", ""),
        source=source,
        engine=ours["engine"],
        task=ours.get("task", ""),
        seed=int(ours["seed"]),
        request=ours.get("request", ""),
        model=ours.get("model", ""),
        revision=ours.get("revision", ""),
        prompt=found.get(IPTC + "AIPromptInformation", ""),
    )


def read_source(xmp: bytes) -> Source | None:
    """The digital source type that any program wrote, if it is one of `Source`."""
    return _source(dict(_properties(xmp)))


def _ours(made: MadeBy) -> dict[str, str]:
    names = ("engine", "model", "revision", "task", "seed", "request")
    return {name: str(getattr(made, name)) for name in names}


def _element(name: str, value: str, most: int = MOST_NAME) -> str:
    return f"<{name}>{escape(_clean(value, most))}</{name}>\n" if value else ""


def _clean(value: str, most: int) -> str:
    return _NOT_XML.sub("\ufffd", value if len(value) <= most else value[: most - 1] + "…")


def _source(found: dict[str, str]) -> Source | None:
    name = found.get(IPTC + "DigitalSourceType", "").removeprefix(VOCABULARY)
    return next((source for source in Source if source.value == name), None)


def _properties(xmp: bytes) -> Iterator[tuple[str, str]]:
    """Simple properties as (namespace + name, value), written as elements, as attributes or as links."""
    if len(xmp) > MOST_BYTES:
        return
    try:
        text = xmp.decode().strip("\0 \n\ufeff")
        if "<!DOCTYPE" in text:  # its entities could grow without end
            return
        root = ElementTree.fromstring(text)
    except (ValueError, ElementTree.ParseError, RecursionError):
        return
    for node in root.iter(f"{{{RDF}}}Description"):
        for name, value in node.attrib.items():
            yield name.replace("{", "", 1).replace("}", "", 1), value
        for child in node:
            yield child.tag.replace("{", "", 1).replace("}", "", 1), child.get(f"{{{RDF}}}resource") or child.text or ""
