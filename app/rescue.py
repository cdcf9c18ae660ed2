"""``python -m app.rescue EMAIL``: a way back in for somebody who is locked out, made on the machine itself.

Prints a link with which the person sets a new password within an hour. Livery may run meanwhile or not; the link works
as soon as it does. Ends with 0 when it was made, 1 when not.
"""

import argparse
import sys
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from app.accounts import recovery
from app.audit import service as audit
from app.db import Database
from app.errors import AppError
from app.settings import Settings
from app.startup import keep_private


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m app.rescue", description=__doc__)
    parser.add_argument("email", metavar="EMAIL", help="the address that the person signs in with")
    parser.add_argument(
        "--make-owner-of",
        metavar="WORKSPACE",
        help="also make the person an owner of this workspace (its name or id), if it has none",
    )
    parser.add_argument(
        "--remove-second-factors",
        action="store_true",
        help="also remove authenticator app, passkeys and recovery codes, for somebody who lost their device",
    )
    given = parser.parse_args(arguments)
    settings = Settings()
    keep_private(settings)
    database = Database(settings.effective_database_url)
    try:
        with database.write() as session:
            done = recovery.rescue(
                session,
                email=given.email,
                make_owner_of=given.make_owner_of,
                remove_second_factors=given.remove_second_factors,
            )
            told: dict[str, list[Any]] = {"workspace": [None, done.workspace]} if done.workspace else {}
            if given.remove_second_factors:
                told["second_factor"] = [True, False]
            audit.record_command(session, "app.rescue", "person.rescued", label=done.name, id=done.user_id, **told)
    except AppError as error:
        print(f"Nothing was changed: {error}", file=sys.stderr)
        return 1
    except SQLAlchemyError as error:
        where = database.engine.url.render_as_string()
        print(f"Nothing was changed: the database {where} says: {error.args[0]}", file=sys.stderr)
        print("Start this with the settings that Livery runs with (DATA_DIR, DATABASE_URL).", file=sys.stderr)
        return 1
    finally:
        database.engine.dispose()
    base = settings.public_url or f"http://{settings.host}:{settings.port}"
    if done.workspace:
        print(f"{done.name} is an owner of {done.workspace} now.")
    if given.remove_second_factors:
        print(f"{done.name} signs in with the password alone again, and is signed out everywhere.")
    elif done.has_second_factor:
        print(f"{done.name} has a second factor, which stays. If it is lost too, add --remove-second-factors.")
    print(f"With this link {done.name} sets a new password. It works once, for an hour, and ends the link before it:")
    print(f"\n  {recovery.link_address(base, done.token)}\n")
    if not done.belongs_somewhere:
        print(f"{done.name} belongs to no workspace: to sign in they also need an invitation by an owner.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
