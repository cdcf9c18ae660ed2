"""A rendered PDF as it leaves the house: it says where it comes from, and is the same file each time."""

import io
from datetime import UTC

import pikepdf

from app.ad_files.origin import kept, xmp
from app.ad_files.values import AdFile, Provenance


def pdf_file(pdf: bytes, provenance: Provenance) -> AdFile:
    """The PDF of ``app.layouts.render.render_pdf`` with title, date and the mark that a model took part.

    Its text stays text, its fonts embedded, its colours sRGB and its boxes where they are. Its identifier follows from
    what is in it.
    """
    moment = provenance.created_at.astimezone(UTC).strftime("D:%Y%m%d%H%M%SZ")
    said = {
        "/Title": kept(provenance.title),
        "/Creator": kept(provenance.software),
        "/Producer": kept(provenance.software),
        "/CreationDate": moment,
        "/ModDate": moment,
    }
    with pikepdf.open(io.BytesIO(pdf)) as document:
        packet = xmp(provenance).encode()
        document.Root.Metadata = document.make_stream(packet, Type=pikepdf.Name.Metadata, Subtype=pikepdf.Name.XML)
        for name, value in said.items():
            if value:
                document.docinfo[name] = pikepdf.String(value)
        out = io.BytesIO()
        document.save(out, deterministic_id=True, fix_metadata_version=False)
    return AdFile(out.getvalue(), "pdf")
