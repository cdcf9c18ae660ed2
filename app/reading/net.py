"""The last net under code that looks at files in this process."""

import contextlib
import logging
from collections.abc import Iterator

from app.errors import AppError

log = logging.getLogger("livery.reading")


@contextlib.contextmanager
def otherwise(refusal: AppError) -> Iterator[None]:
    """What nobody foresaw about a file inside the block is a property of the file: it is logged, under the request's
    number, and ``refusal`` is raised. Refusals and troubles of the system (a full disk) go on as they are."""
    try:
        yield
    except (AppError, OSError):
        raise
    except Exception as error:
        log.error("reader failed", exc_info=error)
        raise refusal from error
