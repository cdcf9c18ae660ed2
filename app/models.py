"""Every feature's tables in one import, for migrations and for the worker."""

from app.accounts import models as accounts
from app.adapters import models as adapters
from app.audit import models as audit
from app.base_files import models as base_files
from app.base_models import models as base_models
from app.brand_kits import models as brand_kits
from app.campaigns import models as campaigns
from app.db import Base
from app.gallery import models as gallery
from app.generations import models as generations
from app.images import models as images
from app.jobs import models as jobs
from app.operations import models as operations
from app.projects import models as projects
from app.trainings import models as trainings
from app.voice import models as voice
from app.writings import models as writings

__all__ = [
    "Base",
    "accounts",
    "adapters",
    "audit",
    "base_files",
    "base_models",
    "brand_kits",
    "campaigns",
    "gallery",
    "generations",
    "images",
    "jobs",
    "operations",
    "projects",
    "trainings",
    "voice",
    "writings",
]
