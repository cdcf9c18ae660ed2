"""What a worker measures of one picture. Pure data, as it stands on the picture's row."""

from pydantic import BaseModel, ConfigDict, Field

VERSION = 1
"""Of the way pictures are measured; pictures measured in another way are measured again."""
GRID = 24
"""The picture as a raster of so many colours each way."""


class PictureMeasures(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    version: int = VERSION
    raster: str = Field(min_length=1)
    """24x24 colours in CIE L*a*b* as signed bytes, row by row, in base 64."""
    sharpest: float
    """0..1: how much of an edge's contrast lies between two neighbouring pixels, at 512 pixels; small is blurry."""
    blocking: float | None
    """How much steeper steps are on JPEG's raster of 8 pixels than anywhere beside it, as a share; None where
    the working copy has not the original's pixels."""
    style: tuple[float, ...]
    """Edges (4) and texture (3) as ``style_statistics`` has them for this one picture; mean and deviation of lightness
    and of chroma; grain."""
    border: str | None
    """The colour all round as #rrggbb, if it is one."""
    lettering: tuple[str, ...]
    """What is written in the picture, as it was read."""
