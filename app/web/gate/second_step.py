"""What a browser carries between two steps: a password that was right, and the challenge that a passkey must repeat."""

import base64
from ipaddress import ip_address
from urllib.parse import urlsplit

from fastapi import Request, Response
from itsdangerous import BadData, URLSafeTimedSerializer

from app.accounts import errors
from app.accounts.models import User
from app.accounts.passkeys import Ceremony, RelyingParty
from app.accounts.service import Proven, sha256
from app.settings import Settings
from app.web.gate import rate_limit
from app.web.gate.session_cookie import known_device, set_cookie

PENDING_COOKIE = "livery_second_step"
PENDING_SECONDS = 10 * 60
CHALLENGE_COOKIE = "livery_challenge"
CHALLENGE_SECONDS = 5 * 60


def _signer(request: Request, salt: str) -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(request.app.state.signing_key, salt=salt)


class Pending:
    """Somebody whose password was right, and where they were going."""

    def __init__(self, user_id: str, password_digest: str, next: str, invitation_id: str) -> None:
        self.user_id, self.password_digest, self.next, self.invitation_id = (
            user_id,
            password_digest,
            next,
            invitation_id,
        )

    def fits(self, user: User | None) -> bool:
        """Whether it is still this person with this password."""
        return user is not None and user.id == self.user_id and self.password_digest == sha256(user.password_hash)


def wait_for_second_step(
    request: Request, response: Response, proven: Proven, *, next: str = "", invitation_id: str = ""
) -> None:
    """Note that the password was right. The cookie alone opens nothing, and fits this password alone."""
    value = _signer(request, PENDING_COOKIE).dumps([proven.user_id, sha256(proven.password_hash), next, invitation_id])
    set_cookie(request, response, PENDING_COOKIE, value, PENDING_SECONDS)


def pending(request: Request) -> Pending | None:
    try:
        raw = _signer(request, PENDING_COOKIE).loads(request.cookies.get(PENDING_COOKIE, ""), max_age=PENDING_SECONDS)
        return Pending(*raw)
    except (BadData, TypeError):
        return None


def forget_pending(request: Request, response: Response) -> None:
    if PENDING_COOKIE in request.cookies:
        response.delete_cookie(PENDING_COOKIE, httponly=True, samesite="lax")


def count_code(request: Request, settings: Settings, user: User) -> None:
    """Count one try of a code, before it is looked at. A right password does not start this count anew. Raises
    ``TooMany``."""
    rate_limit.count(settings.broker_url, rate_limit.SECOND_STEP, _who(request, user))


def forget_codes(request: Request, settings: Settings, user: User) -> None:
    rate_limit.forget(settings.broker_url, rate_limit.SECOND_STEP, _who(request, user))


def _who(request: Request, user: User) -> str:
    """As with passwords, a stranger who has one shuts out no browser that was let in before."""
    device = known_device(request, user.email)
    return f"device:{device}" if device is not None else f"user:{user.id}"


def relying_party(base_url: str) -> RelyingParty:
    """This Livery under the address that people reach it by. Raises ``PasskeysNeedAName`` under a number."""
    parts = urlsplit(base_url)
    host = parts.hostname or ""
    try:
        ip_address(host)
    except ValueError:
        # Behind a proxy the request does not say which of the two it was; the browser allows http for localhost alone.
        return RelyingParty(host, [f"{scheme}://{parts.netloc}" for scheme in ("https", "http")])
    raise errors.PasskeysNeedAName()


def ask(request: Request, ceremony: Ceremony, purpose: str) -> Response:
    """The options for the browser; what it must repeat goes into a signed cookie for a few minutes."""
    response = Response(ceremony.options, media_type="application/json")
    challenge = base64.urlsafe_b64encode(ceremony.challenge).decode()
    value = _signer(request, CHALLENGE_COOKIE).dumps([challenge, purpose])
    set_cookie(request, response, CHALLENGE_COOKIE, value, CHALLENGE_SECONDS)
    return response


def challenge_of(request: Request, settings: Settings, purpose: str) -> bytes:
    """The challenge that this browser was asked with for this purpose; it is good for one answer. Raises
    ``PasskeyRefused``."""
    raw = request.cookies.get(CHALLENGE_COOKIE, "")
    try:
        challenge, asked_for = _signer(request, CHALLENGE_COOKIE).loads(raw, max_age=CHALLENGE_SECONDS)
    except (BadData, TypeError, ValueError) as error:
        raise errors.PasskeyRefused() from error
    if asked_for != purpose or not rate_limit.is_first(settings.broker_url, rate_limit.CHALLENGE, challenge):
        raise errors.PasskeyRefused()
    return base64.urlsafe_b64decode(challenge)
