"""What the browser may send about adapters."""

from typing import Annotated

from pydantic import BaseModel, Field

from app.web.text import Name, Text

Note = Annotated[Text, Field(max_length=2000)]
Strength = Annotated[float, Field(ge=0, le=2)]


class DescribeForm(BaseModel):
    name: Name
    note: Note = ""
    recommended_strength: Strength = 1.0
