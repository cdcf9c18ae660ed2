"""The ticked logos of a guideline, copied to the kit's files before the transaction that puts them into the kit."""

from collections.abc import Callable
from typing import Annotated

from fastapi import Depends, Request

from app.brand_kits.files import KeptFile
from app.brand_kits.guidelines import queries
from app.brand_kits.guidelines.files import keep_found_logo
from app.brand_kits.guidelines.proposals import Ticked
from app.brand_kits.guidelines.service import check_ticked
from app.web.gate.signed_in import Editor
from app.web.text import RowId


def _chosen(
    request: Request, visitor: Editor, project_id: RowId, guideline_id: RowId
) -> Callable[[Ticked], dict[int, KeptFile]]:
    def keep(ticked: Ticked) -> dict[int, KeptFile]:
        """By place. Raises ``NotFound`` and what ``service.check_ticked`` raises."""
        where = {"workspace_id": visitor.workspace.id, "project_id": project_id}
        with request.app.state.database.read() as session:
            row = queries.guideline(session, **where, guideline_id=guideline_id)
            found, name = queries.found(row), row.filename
            check_ticked(found, ticked)
            rows = {logo.place: logo for logo in queries.logos(session, row) if logo.place in ticked.logos}
        storage = request.app.state.storage
        return {place: keep_found_logo(storage, one, found.logos[place], name) for place, one in rows.items()}

    return keep


ChosenLogos = Annotated[Callable[[Ticked], dict[int, KeptFile]], Depends(_chosen)]
