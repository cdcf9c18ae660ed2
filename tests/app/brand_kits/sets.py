"""Brands, logos and people for the tests of kits."""

import io

from PIL import Image as Pixels

from app.brand_kits.files import KeptFile, keep_font, keep_logo
from app.db import Database
from app.projects import service as projects
from app.storage import Storage
from tests.app.brand_kits.make_fonts import font_file

SVG = b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 20 10"><rect width="8" height="10" fill="#123456"/></svg>'


def make_brand(database: Database, workspace_id: str, palette: tuple[str, ...] = ("#112233", "#445566")) -> str:
    with database.write() as session:
        project = projects.create_project(
            session, workspace_id=workspace_id, name="Nordlicht", trigger="", created_by=None
        )
        project.palette = list(palette)
        return project.id


def png_logo(size: tuple[int, int] = (240, 120), colour: str = "#aa3300") -> bytes:
    """Half of it is transparent."""
    picture = Pixels.new("RGBA", size, (0, 0, 0, 0))
    picture.paste(colour, (0, 0, size[0] // 2, size[1]))
    content = io.BytesIO()
    picture.save(content, "PNG")
    return content.getvalue()


def kept_logo(storage: Storage, project_id: str, data: bytes = SVG, name: str = "logo.svg") -> KeptFile:
    return keep_logo(storage, io.BytesIO(data), name, len(data), project_id=project_id)


def kept_font(storage: Storage, project_id: str, data: bytes | None = None, name: str = "muster.ttf") -> KeptFile:
    data = font_file() if data is None else data
    return keep_font(storage, io.BytesIO(data), name, len(data), project_id=project_id)
