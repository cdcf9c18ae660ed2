"""What the pages of texts may send."""

from typing import Annotated, Literal

from pydantic import BaseModel, Field, ValidationError

from app.generations.forms import EmptyIsNone, Seed
from app.web.text import Line, RowId, Text, clean_line
from app.writings import channels
from app.writings.checks import MOST_CLAIMS, MOST_WORDS, Rules
from app.writings.errors import RulesTooMany
from app.writings.filters import Review, TextFilters
from app.writings.requests import DEFAULT_COUNT, MOST_VARIANTS, NEWEST, NOBODY, WritingRequest

Brief = Annotated[Text, Field(max_length=1000)]
Audience = Annotated[Line, Field(max_length=200)]
Tone = Annotated[Line, Field(max_length=120)]
Language = Literal["de", "en"]
Length = Literal["short", "usual", "long"]
VariantCount = Annotated[int, Field(ge=1, le=MOST_VARIANTS)]
Choice = Literal["left", "right", "same"]
OptionalId = Annotated[RowId | None, EmptyIsNone]
Most = Annotated[int | None, Field(ge=0, le=50), EmptyIsNone]


class TextForm(BaseModel, defer_build=True):
    """The form of the writing studio. ``NOBODY`` as the voice is the base model alone, which ``base_model`` names:
    an empty field of a form counts as one that is not there."""

    brief: Brief = ""
    channel: Annotated[Line, Field(max_length=20)] = channels.DEFAULT_CHANNEL
    language: Language = "en"
    audience: Audience = ""
    tone: Tone = ""
    length: Length = "usual"
    count: VariantCount = DEFAULT_COUNT
    seed: Seed = None
    keep_seed: bool = False
    adapter_id: Annotated[Line, Field(max_length=32)] = NEWEST
    base_model: Annotated[Line, Field(max_length=80)] = ""
    campaign_id: OptionalId = None
    output_id: OptionalId = None

    def writing_request(self) -> WritingRequest:
        return WritingRequest(
            brief=self.brief,
            channel=self.channel,
            language=self.language,
            audience=self.audience,
            tone=self.tone,
            length=self.length,
            count=self.count,
            seed=self.seed if self.keep_seed else None,
            adapter_id=None if self.adapter_id == NOBODY else self.adapter_id,
            base_model=self.base_model or None,
            campaign_id=self.campaign_id,
            output_id=self.output_id,
        )


class EditForm(BaseModel, defer_build=True):
    text: Text = ""


class VoteForm(BaseModel, defer_build=True):
    choice: Choice


class RulesForm(BaseModel, defer_build=True):
    """Lists come as lines of a field; ``limit`` stands in the order of the channels."""

    forbidden: Text = ""
    claims: Text = ""
    claim_channels: Annotated[list[Annotated[Line, Field(max_length=20)]], Field(max_length=20)] = []
    address: Literal["", "sie", "du"] = ""
    most_emoji: Most = None
    most_hashtags: Most = None
    limit: Annotated[list[Annotated[Line, Field(max_length=6)]], Field(max_length=20)] = []

    def rules(self) -> Rules:
        """Raises ``RulesTooMany`` for what no rules can hold."""
        limits = {
            channel.key: int(limit)
            for channel, limit in zip(channels.CHANNELS, self.limit, strict=False)
            if limit.isascii() and limit.isdigit()
        }
        try:
            return Rules(
                forbidden=tuple(_lines(self.forbidden)),
                claims=tuple(_lines(self.claims)),
                claim_channels=tuple(key for key in self.claim_channels if key in channels.CHANNEL_KEYS),
                address=self.address,
                most_characters=limits,
                most_emoji=self.most_emoji,
                most_hashtags=self.most_hashtags,
            )
        except ValidationError as error:
            raise RulesTooMany(words=MOST_WORDS, claims=MOST_CLAIMS) from error


def _lines(text: str) -> list[str]:
    """Every line that says something, each once."""
    return list(dict.fromkeys(line for part in text.splitlines() if (line := clean_line(part))))


class TextsQuery(BaseModel, defer_build=True):
    """The address of the list. What makes no sense in it is left out, so that an old link still shows something."""

    brand: str | None = None
    channel: str | None = None
    campaign: str | None = None
    favourite: str | None = None
    review: str | None = None
    q: str | None = None
    before: Annotated[str | None, Field(max_length=200)] = None

    def filters(self) -> TextFilters:
        return TextFilters(
            brand=_id(self.brand),
            channel=self.channel if self.channel in channels.CHANNEL_KEYS else None,
            campaign=_id(self.campaign),
            favourite=bool(self.favourite),
            review=_review(self.review),
            q=clean_line(self.q.encode("utf-8", "ignore").decode())[:200] or None if self.q else None,
        )


class TextQuery(BaseModel, defer_build=True):
    """What texts may be narrowed by."""

    project_id: RowId | None = None
    channel: Annotated[Line | None, Field(max_length=20)] = None
    campaign_id: RowId | None = None
    favourite: bool = False
    review: Review | None = None
    q: Annotated[Line | None, Field(max_length=200, description="Words in the text or its brief.")] = None

    def filters(self) -> TextFilters:
        return TextFilters(
            brand=self.project_id,
            channel=self.channel,
            campaign=self.campaign_id,
            favourite=self.favourite,
            review=self.review,
            q=self.q,
        )


class TextPageQuery(TextQuery):
    """Filters, and which page."""

    cursor: Annotated[str | None, Field(max_length=200)] = None
    limit: Annotated[int, Field(ge=1, le=200)] = 50


class ExportQuery(TextQuery):
    """Filters, and which kind of file."""

    kind: Literal["csv", "docx"] = "csv"


def _id(value: str | None) -> str | None:
    return value if value and len(value) == 32 and value.isascii() and value.isalnum() else None


def _review(value: str | None) -> Review | None:
    return value if value in ("open", "approved", "rejected") else None  # type: ignore[return-value]
