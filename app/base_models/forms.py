"""What the browser and programs may send about base models."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from app.web.text import Line, Name, Text

Repository = Annotated[Line, Field(min_length=1, max_length=200)]
FileName = Annotated[Line, Field(max_length=200)]
Revision = Annotated[Line, Field(max_length=80)]
Family = Annotated[str, Field(pattern="^[a-z0-9_]{0,40}$")]
Licence = Annotated[Line, Field(max_length=120)]
LicenceSentence = Annotated[Text, Field(max_length=500)]
Languages = Annotated[Line, Field(max_length=250)]
Commercial = Literal["yes", "no", "unknown"]
Key = Annotated[str, Field(pattern="^[a-z0-9-]{1,80}$")]
COMMERCIAL: dict[str, bool | None] = {"yes": True, "no": False, "unknown": None}


class DescribeForm(BaseModel, defer_build=True):
    """What people read of it."""

    name: Name
    licence: Licence = ""
    licence_sentence: LicenceSentence = ""
    commercial: Commercial = "unknown"
    languages: Languages = ""
    """Of a language model: ISO 639 codes; left empty, those that its makers name."""

    def described(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "licence": self.licence,
            "licence_sentence": self.licence_sentence,
            "commercial": COMMERCIAL[self.commercial],
            "languages": self.languages,
        }


class HubForm(DescribeForm):
    """A repository of the model hub, or one file of it."""

    repository: Repository
    file: FileName = ""
    revision: Revision = ""
    family: Family = ""


class LocalForm(DescribeForm):
    """An entry of the folder of checkpoints on the workers' machine."""

    entry: FileName


class TokenForm(BaseModel, defer_build=True):
    token: Annotated[str, Field(min_length=1, max_length=400)]
