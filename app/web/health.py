"""Is this process alive, and can it do its work?"""

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

router = APIRouter(include_in_schema=False)


@router.get("/health/live")
def live() -> dict[str, bool]:
    return {"ok": True}


@router.get("/health/ready")
def ready(request: Request) -> JSONResponse:
    """200 when the database answers, else 503."""
    try:
        with request.app.state.database.read() as session:
            session.execute(text("SELECT 1"))
    except SQLAlchemyError:
        return JSONResponse({"ok": False, "database": False}, 503)
    return JSONResponse({"ok": True, "database": True})
