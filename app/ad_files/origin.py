"""How a finished ad says where it comes from: an XMP packet, which every format here can hold."""

import re
from datetime import UTC
from xml.sax.saxutils import escape, quoteattr

from app.ad_files.values import Provenance

COMPOSITE_SOURCE_TYPE = "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia"
"""IPTC's word for what was put together from a model's picture and other parts, which every ad is."""
MOST_LETTERS = 2_000
"""Of one text: a JPEG holds no packet above 65,502 bytes."""
_UNKEEPABLE = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What no XML document can hold."""


def kept(text: str) -> str:
    """The text as every format can hold it."""
    return _UNKEEPABLE.sub("", text)[:MOST_LETTERS]


def xmp(provenance: Provenance) -> str:
    """An XMP packet: what the ad shows, when and with what it was made, and that a model drew a part of it."""
    moment = provenance.created_at.astimezone(UTC).isoformat(timespec="seconds")
    attributes = {
        "xmp:CreatorTool": provenance.software,
        "xmp:CreateDate": moment,
        "xmp:ModifyDate": moment,
        "photoshop:Credit": provenance.ai_statement,
        "Iptc4xmpExt:DigitalSourceType": COMPOSITE_SOURCE_TYPE if provenance.has_ai else "",
    }
    texts = {
        "dc:title": provenance.title,
        "dc:description": provenance.alt_text,
        "Iptc4xmpCore:AltTextAccessibility": provenance.alt_text,
    }
    said = "".join(f" {name}={quoteattr(kept(value))}" for name, value in attributes.items() if value)
    told = "".join(
        f'<{name}><rdf:Alt><rdf:li xml:lang="x-default">{escape(kept(text))}</rdf:li></rdf:Alt></{name}>'
        for name, text in texts.items()
        if text
    )
    return (
        '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>'
        '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        '<rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/"'
        ' xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmlns:photoshop="http://ns.adobe.com/photoshop/1.0/"'
        ' xmlns:Iptc4xmpCore="http://iptc.org/std/Iptc4xmpCore/1.0/xmlns/"'
        ' xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/"'
        f'{said}>{told}</rdf:Description></rdf:RDF></x:xmpmeta><?xpacket end="r"?>'
    )
