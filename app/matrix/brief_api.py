"""Briefs, words and pictures of campaigns as JSON, and the order to make the ads."""

from datetime import datetime
from typing import Annotated, Any, Self

from fastapi import APIRouter
from pydantic import BaseModel, Field, ValidationError

from app.db import new_id
from app.layouts.values import Theme
from app.matrix import pictures, queries, service
from app.matrix.brief import (
    LONGEST_ANSWER,
    LONGEST_PHRASE,
    MOST_AUDIENCES,
    MOST_CHANNELS,
    MOST_LOCALES,
    MOST_PHRASES,
    Audience,
    AudienceKey,
    Brief,
    Key,
    LocaleTag,
)
from app.matrix.cells import Author
from app.matrix.drafts import service as drafts
from app.matrix.drafts.requests import DraftField
from app.matrix.errors import BadBrief
from app.matrix.models import CampaignBrief, CampaignPicture, CampaignWords
from app.matrix.pages.words_forms import Alt, Badge, Body, CallToAction, Headline, Prompt, Short
from app.matrix.spec import PictureClass, Words
from app.matrix.text_rules import FieldFinding, findings
from app.web.api.audited import audited
from app.web.api.deferred_route import DeferredRoute
from app.web.api.json_body import JsonBody
from app.web.gate.signed_in import Editor, Viewer
from app.web.gate.visitor import Visitor
from app.web.language import translate
from app.web.session_deps import ReadSession, WriteSession
from app.web.text import Line, Name, RowId
from app.writings import queries as writings

router = APIRouter(tags=["Campaigns"], route_class=DeferredRoute)
Answer = Annotated[Line, Field(max_length=LONGEST_ANSWER)]
Phrases = Annotated[
    list[Annotated[Line, Field(min_length=1, max_length=LONGEST_PHRASE)]], Field(max_length=MOST_PHRASES)
]


class AudienceIn(JsonBody):
    """Somebody whom the ads are made for."""

    key: AudienceKey | None = Field(None, description="Eight hexadecimal digits; left out for a new audience.")
    name: Annotated[Line, Field(min_length=1, max_length=80)]
    who: Answer = ""
    motive: Answer = Field("", description="What moves them.")

    def audience(self) -> Audience:
        return Audience(key=self.key or new_id()[:8], name=self.name, who=self.who, motive=self.motive)


class BriefIn(JsonBody):
    """The brief. There is an ad for each audience, channel and language."""

    offer: Annotated[Answer, Field(min_length=1)]
    why_now: Answer = ""
    must_say: Phrases = Field([], description="Must stand in every ad; `|` parts wordings of which one is enough.")
    must_not: Phrases = Field([], description="May stand in no ad.")
    motif: Answer = Field("", description="What the pictures show; empty: what is offered.")
    audiences: Annotated[list[AudienceIn], Field(min_length=1, max_length=MOST_AUDIENCES)]
    channels: Annotated[list[Key], Field(min_length=1, max_length=MOST_CHANNELS)]
    locales: Annotated[list[LocaleTag], Field(min_length=1, max_length=MOST_LOCALES)]
    layout: Key
    theme: Theme = "light"
    adapter_id: RowId | None = Field(None, description="The adapter that draws; null: the brand’s newest.")
    ai_label: bool = Field(True, description="Whether ads say that their picture was made with AI.")

    def brief(self) -> Brief:
        """Raises ``BadBrief``."""
        fields = self.model_dump(exclude={"audiences", "project_id", "number", "name"})
        try:
            return Brief(**fields, audiences=tuple(one.audience() for one in self.audiences))
        except ValidationError as error:
            where = error.errors()[0]["loc"]
            raise BadBrief(field=".".join(map(str, where)) or "audiences, channels, locales") from error


class BriefChange(BriefIn):
    """Replaces the brief; a campaign that has none yet needs the brand."""

    project_id: RowId | None = Field(None, description="The brand, where the campaign has no brief yet.")
    number: int | None = Field(
        None, ge=0, description="The version that was read; a newer one is not overwritten. Null replaces any."
    )


class BriefOut(BaseModel, defer_build=True):
    """The brief of a campaign. ``number`` grows with each change."""

    campaign_id: str
    project_id: str
    number: int
    changed_at: datetime
    brief: dict[str, Any]
    ads: int = Field(description="Audiences × channels × languages.")


class WordsIn(JsonBody):
    """What ads say to one audience in one language; what is left out is empty."""

    audience: AudienceKey
    locale: LocaleTag
    headline: Headline = ""
    short_headline: Short = Field("", description="For strips and small formats; empty: the headline.")
    body: Body = ""
    call_to_action: CallToAction = ""
    badge: Badge = ""
    alt: Alt = Field("", description="Alternative text; empty: what stands on the ad.")

    def words(self) -> Words:
        return Words(**self.model_dump(exclude={"audience", "locale"}))


class WordsFindingOut(BaseModel, defer_build=True):
    """What a rule has against a field, or against the whole ad (an empty ``field``)."""

    field: str
    kind: str
    level: str
    sentence: str

    @classmethod
    def of(cls, told: FieldFinding, locale: str) -> Self:
        """With its sentence in the reader's language."""
        sentence = translate(locale, told.finding.sentence, **told.finding.params)
        return cls(field=told.field, kind=told.finding.kind, level=told.finding.level, sentence=sentence)


class WordsOut(BaseModel, defer_build=True):
    """What ads say, with what the brand’s rules and the brief have against it."""

    audience: str
    locale: str
    words: dict[str, str]
    drafts: dict[str, str] = Field(description="By field the id of the writing whose variants are proposed for it.")
    findings: list[WordsFindingOut]


class WordsPage(BaseModel, defer_build=True):
    """Every audience and language of the brief, in its order."""

    items: list[WordsOut]


class DraftIn(JsonBody):
    """Which field three variants are wanted for."""

    audience: AudienceKey
    locale: LocaleTag
    field: DraftField


class DraftOut(BaseModel, defer_build=True):
    """``/api/v1/writings/{writing_id}`` tells its variants."""

    writing_id: str


class PictureIn(JsonBody):
    """New pictures for one audience and class of proportions."""

    audience: AudienceKey
    shape: PictureClass
    prompt: Prompt


class CampaignPictureOut(BaseModel, defer_build=True):
    """The base picture of an audience in a class of proportions."""

    audience: str
    shape: PictureClass
    prompt: str
    generation_id: str | None = Field(description="The order whose first picture takes this place.")
    output_id: str | None = Field(description="The picture in use; null until one is there.")


class CampaignPicturePage(BaseModel, defer_build=True):
    items: list[CampaignPictureOut]


class CopyIn(JsonBody):
    """What to call the copy."""

    name: Name


class CopyOut(BaseModel, defer_build=True):
    """The new campaign."""

    id: str
    name: str


class MadeOut(BaseModel, defer_build=True):
    """What was begun."""

    ads: int = Field(description="In the matrix by now.")
    picture_orders: int
    laid_out: int = Field(description="Ads whose picture was there already.")


@router.get("/campaigns/{campaign_id}/brief", summary="Show a campaign’s brief")
def show_brief(session: ReadSession, visitor: Viewer, campaign_id: RowId) -> BriefOut:
    return _brief(queries.brief_row(session, **_where(visitor, campaign_id)))


@router.put("/campaigns/{campaign_id}/brief", summary="Write or change a campaign’s brief")
@audited("campaign.briefed")
def save_brief(session: WriteSession, visitor: Editor, campaign_id: RowId, wanted: BriefChange) -> BriefOut:
    row = queries.find_brief(session, **_where(visitor, campaign_id))
    project_id = wanted.project_id or (row.project_id if row is not None else None)
    if project_id is None:
        raise BadBrief(field="project_id")
    author = _author(visitor, campaign_id)
    return _brief(service.save_brief(session, author, project_id, wanted.brief(), number=wanted.number))


@router.get("/campaigns/{campaign_id}/words", summary="Show what a campaign’s ads say")
def show_words(session: ReadSession, visitor: Viewer, campaign_id: RowId) -> WordsPage:
    row = queries.brief_row(session, **_where(visitor, campaign_id))
    said = queries.words(session, **_where(visitor, campaign_id))
    brief = queries.brief_of(row)
    places = [(one.key, tag) for one in brief.audiences for tag in brief.locales]
    return WordsPage(items=[_words(session, visitor, row, place, said.get(place)) for place in places])


@router.put("/campaigns/{campaign_id}/words", summary="Change what ads say to one audience in one language")
@audited("campaign.worded")
def save_words(session: WriteSession, visitor: Editor, campaign_id: RowId, wanted: WordsIn) -> WordsOut:
    author, place = _author(visitor, campaign_id), (wanted.audience, wanted.locale)
    service.save_words(session, author, *place, wanted.words())
    row = queries.brief_row(session, **_where(visitor, campaign_id))
    return _words(session, visitor, row, place, service.words_row(session, author, *place))


@router.post(
    "/campaigns/{campaign_id}/words/drafts", status_code=202, summary="Have three variants written in the brand’s voice"
)
@audited("writing.ordered")
def order_drafts(
    reading: ReadSession, session: WriteSession, visitor: Editor, campaign_id: RowId, wanted: DraftIn
) -> DraftOut:
    author, place = _author(visitor, campaign_id), (wanted.audience, wanted.locale, wanted.field)
    composed = drafts.compose(reading, author, *place)
    return DraftOut(writing_id=drafts.order(session, author, *place, composed).id)


@router.get("/campaigns/{campaign_id}/pictures", summary="List a campaign’s base pictures")
def list_pictures(session: ReadSession, visitor: Viewer, campaign_id: RowId) -> CampaignPicturePage:
    queries.brief_row(session, **_where(visitor, campaign_id))
    found = queries.pictures(session, **_where(visitor, campaign_id))
    return CampaignPicturePage(items=[_picture(found[place]) for place in sorted(found)])


@router.post("/campaigns/{campaign_id}/pictures", status_code=202, summary="Have new base pictures drawn")
@audited("campaign.pictured")
def draw(session: WriteSession, visitor: Editor, campaign_id: RowId, wanted: PictureIn) -> CampaignPictureOut:
    author = _author(visitor, campaign_id)
    return _picture(pictures.draw(session, author, wanted.audience, wanted.shape, wanted.prompt))


@router.post("/campaigns/{campaign_id}/copy", status_code=201, summary="Copy a campaign without its ads")
@audited("campaign.copied")
def copy(session: WriteSession, visitor: Editor, campaign_id: RowId, wanted: CopyIn) -> CopyOut:
    made = service.copy(session, _author(visitor, campaign_id), wanted.name)
    return CopyOut(id=made.id, name=made.name)


@router.post("/campaigns/{campaign_id}/make", status_code=202, summary="Make the ads that are missing")
@audited("campaign.made")
def make(session: WriteSession, visitor: Editor, campaign_id: RowId) -> MadeOut:
    made = service.produce(session, _author(visitor, campaign_id))
    laid_out = made.changed.count if made.changed is not None else 0
    return MadeOut(ads=made.cells, picture_orders=made.orders, laid_out=laid_out)


def _where(visitor: Visitor, campaign_id: str) -> dict[str, str]:
    return {"workspace_id": visitor.workspace.id, "campaign_id": campaign_id}


def _author(visitor: Visitor, campaign_id: str) -> Author:
    return Author(visitor.workspace.id, campaign_id, visitor.user.id, visitor.is_owner)


def _brief(row: CampaignBrief) -> BriefOut:
    brief = queries.brief_of(row)
    return BriefOut(
        campaign_id=row.campaign_id,
        project_id=row.project_id,
        number=row.number,
        changed_at=row.changed_at,
        brief=row.brief,
        ads=len(brief.audiences) * len(brief.channels) * len(brief.locales),
    )


def _words(
    session: ReadSession, visitor: Visitor, row: CampaignBrief, place: tuple[str, str], said: CampaignWords | None
) -> WordsOut:
    words, brief, locale = queries.words_of(said), queries.brief_of(row), visitor.user.locale
    rules = writings.rules_of(session, [row.project_id])[row.project_id]
    return WordsOut(
        audience=place[0],
        locale=place[1],
        words=words.model_dump(),
        drafts=said.drafts if said is not None else {},
        findings=[WordsFindingOut.of(one, locale) for one in findings(words, brief, rules, place[1])],
    )


def _picture(row: CampaignPicture) -> CampaignPictureOut:
    return CampaignPictureOut.model_validate({name: getattr(row, name) for name in CampaignPictureOut.model_fields})
