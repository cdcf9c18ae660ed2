"""Every feature's tables in one import, for migrations and for the worker."""

from app.accounts import models as accounts
from app.adapters import models as adapters
from app.audit import models as audit
from app.base_files import models as base_files
from app.base_models import models as base_models
from app.brand_kits import models as brand_kits
from app.brand_kits.guidelines import models as guidelines
from app.campaigns import models as campaigns
from app.campaigns.channels import models as channels
from app.db import Base
from app.gallery import models as gallery
from app.generations import models as generations
from app.images import models as images
from app.jobs import models as jobs
from app.matrix import models as matrix
from app.operations import models as operations
from app.projects import models as projects
from app.sign_off import models as sign_off
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
    "channels",
    "gallery",
    "generations",
    "guidelines",
    "images",
    "jobs",
    "matrix",
    "operations",
    "projects",
    "sign_off",
    "trainings",
    "voice",
    "writings",
]
