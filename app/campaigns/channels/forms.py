"""What the browser and programs may send about a channel."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, Field

from app.campaigns.channels.service import NewChannel, NewPaper
from app.layouts.channels import LARGEST_SIDE
from app.layouts.values import Insets
from app.web.text import Name

KB = 1000


def _as_people_write_it(value: Any) -> Any:
    """``85,5`` is as good as ``85.5``; an empty field says nothing."""
    return value.strip().replace(",", ".") or None if isinstance(value, str) else value


Medium = Literal["screen", "print"]
ScreenFile = Literal["jpeg", "png", "webp"]
Pixels = Annotated[int, Field(ge=1, le=LARGEST_SIDE)]
Inset = Annotated[int, Field(ge=0, le=LARGEST_SIDE)]
Millimetres = Annotated[float, Field(gt=0, le=5000, allow_inf_nan=False)]
Bleed = Annotated[float, Field(ge=0, le=20, allow_inf_nan=False)]
Dpi = Annotated[int, Field(ge=72, le=600)]
Bytes = Annotated[int, Field(ge=10 * KB, le=1_000_000 * KB)]
Kilobytes = Annotated[int, Field(ge=10, le=1_000_000)]


class ChannelForm(BaseModel, defer_build=True):
    """Fields of the other medium are ignored: the page hides them."""

    name: Name
    medium: Medium = "screen"
    width_px: Annotated[Pixels | None, BeforeValidator(_as_people_write_it)] = None
    height_px: Annotated[Pixels | None, BeforeValidator(_as_people_write_it)] = None
    safe_top: Annotated[Inset | None, BeforeValidator(_as_people_write_it)] = None
    safe_right: Annotated[Inset | None, BeforeValidator(_as_people_write_it)] = None
    safe_bottom: Annotated[Inset | None, BeforeValidator(_as_people_write_it)] = None
    safe_left: Annotated[Inset | None, BeforeValidator(_as_people_write_it)] = None
    file_type: ScreenFile = "jpeg"
    most_kb: Annotated[Kilobytes | None, BeforeValidator(_as_people_write_it)] = None
    width_mm: Annotated[Millimetres | None, BeforeValidator(_as_people_write_it)] = None
    height_mm: Annotated[Millimetres | None, BeforeValidator(_as_people_write_it)] = None
    bleed_mm: Annotated[Bleed | None, BeforeValidator(_as_people_write_it)] = None
    dpi: Annotated[Dpi | None, BeforeValidator(_as_people_write_it)] = None

    def wanted(self) -> NewChannel:
        paper = None
        if self.medium == "print":
            bleed = self.bleed_mm if self.bleed_mm is not None else 3
            paper = NewPaper(self.width_mm, self.height_mm, bleed, self.dpi or 300)
        return NewChannel(
            name=self.name,
            pixels=(self.width_px, self.height_px),
            safe=Insets(self.safe_top or 0, self.safe_right or 0, self.safe_bottom or 0, self.safe_left or 0),
            file_type=self.file_type,
            max_bytes=self.most_kb * KB if self.most_kb is not None else None,
            paper=paper,
        )
