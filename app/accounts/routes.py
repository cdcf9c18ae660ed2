"""Pages of people and workspaces: the door, one's own account, the members, the settings."""

from fastapi import APIRouter

from app.accounts.pages import (
    account_routes,
    entrance_routes,
    member_routes,
    reset_routes,
    second_factor_routes,
    second_step_routes,
    settings_routes,
)
from app.web.api.deferred_route import DeferredRoute

router = APIRouter(route_class=DeferredRoute)
router.routes += entrance_routes.router.routes
router.routes += second_step_routes.router.routes
router.routes += reset_routes.router.routes
router.routes += account_routes.router.routes
router.routes += second_factor_routes.router.routes
router.routes += member_routes.router.routes
router.routes += settings_routes.router.routes
