"""Times as documents write them."""

from datetime import UTC, datetime


def javascript_time(text: object) -> str | None:
    """``text`` as JavaScript's ``toISOString`` writes it: ``2025-01-21T14:32:15.000Z``.

    Takes PostgreSQL's text and ISO 8601; a time without a zone is UTC, parts of a millisecond are cut off. ``None``
    for what is no time of the years 1 to 9999, ``infinity`` among it.
    """
    if not isinstance(text, str):
        return None
    try:
        moment = datetime.fromisoformat(text)
        moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return f"{moment.replace(tzinfo=None).isoformat(timespec='milliseconds')}Z"
