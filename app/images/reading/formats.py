"""Which kind of picture some bytes are, by what they contain. File names and declared types are never asked."""

from enum import StrEnum

from app.images.reading.svg import looks_like_svg


class ImageFormat(StrEnum):
    """The formats taken in. The value is stored in rows, so it never changes."""

    JPEG = "jpeg"
    PNG = "png"
    WEBP = "webp"
    AVIF = "avif"
    HEIC = "heic"
    TIFF = "tiff"
    GIF = "gif"
    SVG = "svg"

    @property
    def media_type(self) -> str:
        """The type to serve it as."""
        return "image/svg+xml" if self is ImageFormat.SVG else f"image/{self.value}"

    @property
    def extension(self) -> str:
        """File ending without the dot."""
        return {"jpeg": "jpg", "tiff": "tif"}.get(self.value, self.value)


HEVC_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx"}
AV1_BRANDS = {b"avif", b"avis"}


def sniff(data: bytes) -> ImageFormat | None:
    """The format that the first bytes announce, or None. Decoding may still show that it is something else."""
    if data.startswith(b"\xff\xd8\xff"):
        return ImageFormat.JPEG
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return ImageFormat.PNG
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return ImageFormat.WEBP
    if data.startswith((b"GIF87a", b"GIF89a")):
        return ImageFormat.GIF
    if data.startswith((b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")):
        return ImageFormat.TIFF
    if data[4:8] == b"ftyp":
        return _sniff_heif(data)
    return ImageFormat.SVG if looks_like_svg(data) else None


def _sniff_heif(data: bytes) -> ImageFormat | None:
    """HEIC and AVIF share a container (and MP4 does, too); the list of brands tells them apart."""
    end = min(int.from_bytes(data[:4], "big"), 1024)
    major, compatible = data[8:12], {data[at : at + 4] for at in range(16, end, 4)}
    for brands, image_format in ((HEVC_BRANDS, ImageFormat.HEIC), (AV1_BRANDS, ImageFormat.AVIF)):
        if major in brands:
            return image_format
    if major not in (b"mif1", b"msf1", b"miaf"):
        return None
    if compatible & AV1_BRANDS:
        return ImageFormat.AVIF
    return ImageFormat.HEIC if compatible & HEVC_BRANDS else None
