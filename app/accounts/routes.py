"""Pages of people and workspaces: the door, one's own account, the members, the settings."""

from fastapi import APIRouter

from app.accounts import account_routes, entrance_routes, member_routes, settings_routes

router = APIRouter()
router.include_router(entrance_routes.router)
router.include_router(account_routes.router)
router.include_router(member_routes.router)
router.include_router(settings_routes.router)
