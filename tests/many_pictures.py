"""A gallery of tens of thousands of pictures, as rows without files."""

import random
from datetime import timedelta

from sqlalchemy import insert

from app.campaigns.models import Campaign
from app.db import Database, new_id
from app.gallery.models import OutputTag
from app.generations.models import Generation, Output
from app.generations.recipe import GenerationRecipe
from tests.visuals import START, make_project

WORDS = [
    "lighthouse",
    "cliff",
    "fog",
    "morning",
    "gull",
    "boat",
    "sailor",
    "harbour",
    "bread",
    "oven",
    "coffee",
    "studio",
    "light",
    "autumn",
    "leaf",
    "river",
]
PER_ORDER = 8


def hang_many(database: Database, workspace_id: str, count: int) -> dict[str, str]:
    """Hang ``count`` pictures of two brands; one in a thousand is a favourite, has a tag and is in a campaign.

    Returns ids to filter by: ``brand``, ``campaign``.
    """
    rng = random.Random(1)
    brands = [make_project(database, workspace_id), make_project(database, workspace_id, name="Other", trigger="other")]
    campaign_id = new_id()
    recipe = GenerationRecipe(base_model="livery-builtin", prompt="x", width=64, height=64, seed=1)
    orders, pictures, tags = [], [], []
    for number in range(count):
        if number % PER_ORDER == 0:
            orders.append(
                {
                    "id": new_id(),
                    "workspace_id": workspace_id,
                    "project_id": brands[number % 16 // 8],
                    "recipe": recipe.model_dump(mode="json"),
                    "created_at": START + timedelta(seconds=number),
                }
            )
        prompt = "nordlicht, " + " ".join(rng.choices(WORDS, k=14))
        rare = number % 1000 == 500
        pictures.append(
            {
                "id": new_id(),
                "workspace_id": workspace_id,
                "project_id": orders[-1]["project_id"],
                "generation_id": orders[-1]["id"],
                "position": number % PER_ORDER,
                "seed": number,
                "prompt": prompt,
                "prompt_folded": prompt.casefold(),
                "key": f"projects/{brands[0]}/outputs/{orders[-1]['id']}/a1-{number % PER_ORDER}.png",
                "thumb_key": f"projects/{brands[0]}/outputs/{orders[-1]['id']}/a1-{number % PER_ORDER}-thumb.webp",
                "width": 1024,
                "height": 1024,
                "byte_count": 1_500_000,
                "sha256": f"{number:064x}",
                "placeholder": "data:image/webp;base64," + "A" * 120,
                "favourite": rare,
                "campaign_id": campaign_id if rare else None,
                "created_at": START + timedelta(seconds=number),
            }
        )
        if rare:
            tags.append(
                {
                    "output_id": pictures[-1]["id"],
                    "tag": "hero",
                    "workspace_id": workspace_id,
                    "created_at": pictures[-1]["created_at"],
                }
            )
    with database.write() as session:
        session.add(Campaign(id=campaign_id, workspace_id=workspace_id, name="Autumn", created_by=None))
        session.flush()
        session.execute(insert(Generation), orders)
        session.execute(insert(Output), pictures)
        session.execute(insert(OutputTag), tags)
    if not database.is_sqlite:
        # A server gathers its statistics by itself before long; SQLite never does.
        with database.engine.connect() as connection:
            connection.exec_driver_sql("ANALYZE")
            connection.commit()
    return {"brand": brands[1], "campaign": campaign_id}
