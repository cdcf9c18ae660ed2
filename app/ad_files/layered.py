"""A rendered ad as a layered PSD, for people who go on with it in an image editor."""

import io
import struct

from PIL import Image
from psd_tools import PSDImage
from psd_tools.constants import Resource
from psd_tools.psd.image_resources import ImageResource

from app.ad_files.origin import xmp
from app.ad_files.pictures import srgb_profile
from app.ad_files.values import AdFile, Provenance
from app.layouts.values import Rendered

PER_INCH = 1
"""The unit of a resolution (Adobe's description of the format, resource 1005)."""
INCHES = 1
"""The unit that rulers show."""


class _Document(PSDImage):
    """Its finished picture is known, so saving must not compose it again: for a roll-up that takes gigabytes."""

    def is_updated(self) -> bool:
        return False


def psd_file(rendered: Rendered, provenance: Provenance, *, dpi: int = 72) -> AdFile:
    """The ad with a layer of pixels for each of ``Rendered.layers``, from the bottom up and under the same names.

    Layers compose to the PNG within rounding; a layer without any pixel is left out. The file also holds the finished
    picture, for programs that read no layers.
    """
    finished = Image.open(io.BytesIO(rendered.png)).convert("RGBA")
    document = _Document.frompil(finished)
    for layer in rendered.layers:
        if box := layer.image.getchannel("A").getbbox():
            document.create_pixel_layer(layer.image.crop(box), name=layer.name, left=box[0], top=box[1])
    for key, data in (
        (Resource.RESOLUTION_INFO, struct.pack(">IHHIHH", dpi << 16, PER_INCH, INCHES, dpi << 16, PER_INCH, INCHES)),
        (Resource.ICC_PROFILE, srgb_profile()),
        (Resource.XMP_METADATA, xmp(provenance).encode()),
    ):
        document.image_resources[key] = ImageResource(key=key, data=data)
    out = io.BytesIO()
    document.save(out)
    return AdFile(out.getvalue(), "psd")
