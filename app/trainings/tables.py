"""The tables of fields of both kinds of training. Pure."""

from pydantic import BaseModel

from app.trainings.fields import Fact
from app.trainings.look import fields as look
from app.trainings.voice import fields as voice

TABLES = {table.recipe: table for table in (look.TABLE, voice.TABLE)}


def facts(recipe: BaseModel) -> list[Fact]:
    """What a recipe's numbers are, for people; what nobody touched is left out."""
    return TABLES[type(recipe)].facts(recipe)
