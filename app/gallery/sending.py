"""Pictures that leave the house as files: one as it is or as a smaller copy, many as one ZIP."""

from fastapi import Response
from fastapi.responses import StreamingResponse

from app.errors import NotFound
from app.gallery import copies
from app.gallery.errors import NothingChosen
from app.gallery.queries import OutputView
from app.sign_off.service import check_download
from app.web import files
from app.web.gate.visitor import Visitor
from app.web.session_deps import FileStorage


def send_copy(storage: FileStorage, visitor: Visitor, view: OutputView, kind: copies.CopyFormat) -> Response:
    """The picture as a file to keep: as it is stored, or as a smaller copy. Raises ``NotApproved``."""
    check_download([view.output.review], may_all=visitor.downloads_open)
    name = copies.copy_name(view, kind)
    if kind == "png":
        return files.send(storage, view.output.key, copies.MEDIA_TYPES[kind], download_name=name, keep=False)
    try:
        stored = storage.get(view.output.key)
    except FileNotFoundError as error:
        raise NotFound() from error
    content = copies.smaller_copy(stored, kind, view.made.xmp(view.output.created_at))
    headers = {"content-disposition": files.disposition(name), "cache-control": "private, no-cache"}
    return Response(content, media_type=copies.MEDIA_TYPES[kind], headers=headers)


def send_archive(storage: FileStorage, visitor: Visitor, views: list[OutputView], name: str) -> Response:
    """Pictures as one ZIP of this name. Raises ``NothingChosen`` when no picture is left to send, ``NotApproved`` and
    ``SomeNotApproved``."""
    if not views:
        raise NothingChosen()
    check_download([view.output.review for view in views], may_all=visitor.downloads_open)
    packed = copies.archive(storage, views)
    headers = {"content-disposition": files.disposition(name), "content-length": str(len(packed))}
    return StreamingResponse(packed, media_type="application/zip", headers=headers)
