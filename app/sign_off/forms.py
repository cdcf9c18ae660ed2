"""What pages and programs may say with a verdict."""

from typing import Annotated

from pydantic import AfterValidator, BaseModel, Field

from app.sign_off.models import LONGEST_REASON
from app.web.text import Text, clean_line

Reason = Annotated[Text, AfterValidator(clean_line), Field(max_length=LONGEST_REASON)]


class ReasonForm(BaseModel, defer_build=True):
    """Why; may be empty."""

    reason: Reason = ""
