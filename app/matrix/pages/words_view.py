"""What the page of a campaign's words is given."""

from collections import Counter
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from app.campaigns import queries as campaigns
from app.generations.models import Output
from app.matrix import pictures, queries
from app.matrix.brief import Audience, Brief, picture_prompt
from app.matrix.drafts import service as drafts
from app.matrix.drafts.requests import is_worded
from app.matrix.models import CampaignBrief, CampaignWords
from app.matrix.pages.brief_view import language_name
from app.matrix.pages.words_forms import LONGEST
from app.matrix.spec import PictureClass, Words
from app.matrix.text_rules import CHANNEL_OF, FieldFinding, findings
from app.projects import queries as projects
from app.web.gate.visitor import Visitor
from app.writings import channels
from app.writings import queries as writings
from app.writings.checks import Rules
from app.writings.queries import WritingView


@dataclass(frozen=True)
class Sheet:
    """The words for one audience in one language."""

    audience: Audience
    locale: str
    words: Words
    drafts: dict[str, WritingView]
    """By field."""
    findings: list[FieldFinding]
    can_draft: bool
    shapes: list[PictureClass]
    """Classes of proportions that the audience has a picture's prompt for."""

    @property
    def id(self) -> str:
        return f"{self.audience.key}-{self.locale}"

    def fields_of(self, name: str) -> list[str]:
        """Ids of the page's fields that a draft is taken into."""
        if name == "picture":
            return [f"prompt-{self.audience.key}-{shape}" for shape in self.shapes]
        return [f"{name}-{self.id}"]


@dataclass(frozen=True)
class PictureSheet:
    """The prompt of one audience's picture in one class of proportions, and the picture if there is one."""

    shape: PictureClass
    prompt: str
    output: Output | None


def words_page(session: Session, visitor: Visitor, row: CampaignBrief, locale: str | None) -> dict[str, Any]:
    """Every audience in one language of the brief, the first where none is asked for."""
    where = {"workspace_id": visitor.workspace.id, "campaign_id": row.campaign_id}
    brief = queries.brief_of(row)
    shown = locale if locale in brief.locales else brief.locales[0]
    said = queries.words(session, **where)
    rules = writings.rules_of(session, [row.project_id])[row.project_id]
    shapes = pictures.shapes_of(session, row.workspace_id, brief)
    wanted = {one for key, words in said.items() if key[1] == shown for one in words.drafts.values()}
    known = drafts.views(session, workspace_id=visitor.workspace.id, writing_ids=wanted)
    return {
        "campaign": campaigns.campaign(session, **where),
        "project": projects.project(session, workspace_id=visitor.workspace.id, project_id=row.project_id),
        "brief": brief,
        "brief_row": row,
        "counts": queries.counts(session, **where),
        "shown": shown,
        "sheets": [
            _sheet(brief, rules, one, shown, said.get((one.key, shown)), known, shapes) for one in brief.audiences
        ],
        "written": Counter(tag for (_audience, tag), one in said.items() if one.words.get("headline")),
        "pictures": _pictures(session, row, brief, shapes),
        "limits": limits(rules),
        "language_name": language_name,
    }


def sheet(session: Session, visitor: Visitor, row: CampaignBrief, audience: str, locale: str) -> Sheet | None:
    """None for what the brief does not list."""
    brief = queries.brief_of(row)
    whom = brief.audience(audience)
    if whom is None or locale not in brief.locales:
        return None
    said = queries.words(session, workspace_id=visitor.workspace.id, campaign_id=row.campaign_id)
    words = said.get((audience, locale))
    wanted = set(words.drafts.values()) if words is not None else set()
    known = drafts.views(session, workspace_id=visitor.workspace.id, writing_ids=wanted)
    rules = writings.rules_of(session, [row.project_id])[row.project_id]
    return _sheet(brief, rules, whom, locale, words, known, pictures.shapes_of(session, row.workspace_id, brief))


def _sheet(
    brief: Brief,
    rules: Rules,
    audience: Audience,
    locale: str,
    row: CampaignWords | None,
    known: dict[str, WritingView],
    shapes: list[PictureClass],
) -> Sheet:
    words = queries.words_of(row)
    return Sheet(
        audience=audience,
        locale=locale,
        words=words,
        drafts={key: known[one] for key, one in (row.drafts if row is not None else {}).items() if one in known},
        findings=findings(words, brief, rules, locale) if words != Words() else [],
        can_draft=is_worded(locale),
        shapes=shapes,
    )


def limits(rules: Rules) -> dict[str, dict[str, int | None]]:
    """By field, how many characters it takes, and how many are too many for its place."""
    found: dict[str, dict[str, int | None]] = {}
    for name, most in LONGEST.items():
        channel = channels.channel(CHANNEL_OF[name])
        good = None
        if channel is not None and channel.most_characters < most:
            good = min(channel.most_characters, rules.most_characters.get(channel.key, channel.most_characters))
        found[name] = {"most": most, "good": good}
    return found


def _pictures(
    session: Session, row: CampaignBrief, brief: Brief, shapes: list[PictureClass]
) -> dict[str, list[PictureSheet]]:
    """By audience, the classes that the brief's channels need."""
    where = {"workspace_id": row.workspace_id, "campaign_id": row.campaign_id}
    there = queries.pictures(session, **where)
    used = {one.output_id for one in there.values() if one.output_id is not None}
    outputs = queries.outputs(session, workspace_id=row.workspace_id, output_ids=used)
    return {
        audience.key: [
            PictureSheet(
                shape,
                known.prompt if known is not None else picture_prompt(brief, audience),
                outputs.get(known.output_id or "") if known is not None else None,
            )
            for shape in shapes
            for known in [there.get((audience.key, shape))]
        ]
        for audience in brief.audiences
    }
