"""The one tree of errors.

::

    MaquetteError
    ├── InvalidInput            the request is wrong; say what to change
    ├── NotFound                no such thing
    ├── Conflict                not now: the thing is in another state
    ├── BudgetExceeded          the brand's month, or its plan, does not allow it
    ├── AccessDenied            token or access code missing or wrong
    ├── ConfigurationError      a setting, a tool or a folder is missing or unusable
    ├── StackError              a server of the stack did not start, or is not there
    ├── LeaseHeld               another run holds the item
    ├── StaleLease              this run lost its item; nothing more may be written
    ├── StorageError            a file could not be kept (disk full, read-only)
    ├── MediaError              a clip cannot be used, or a film fails the quality gate
    └── ProviderError           what a provider raised, translated at its adapter
        ├── Transient           retry, honouring ``retry_after_s``
        ├── QuotaExceeded       wait or fail by policy
        ├── Filtered            refused by a safety rule: reword once, then fail; not charged
        ├── Invalid             never retry
        └── OutcomeUnknown      sent, no answer: look up, never resubmit

Each carries ``str(error)`` for the developer, ``code`` for the client, and ``text(language)`` for the
user. Codes and their texts are data in ``maquette.error_texts``.
"""

from maquette.error_texts import TEXTS


def text_of(code: str, language: str = "fr", **values: object) -> str:
    """The user's text of ``code`` in ``language`` (French where it is unknown); unknown codes read as internal."""
    texts = TEXTS.get(code, TEXTS["internal"])
    return texts.get(language, texts["fr"]).format(**values)


class MaquetteError(Exception):
    """Base of all. ``values`` fill the user's text."""

    code = "internal"

    def __init__(self, message: str, *, code: str | None = None, **values: object) -> None:
        super().__init__(message)
        if code is not None:
            self.code = code
        self.values = values

    def text(self, language: str = "fr") -> str:
        """The user's text in fr, en or es."""
        try:
            return text_of(self.code, language, **self.values)
        except KeyError:  # a text with a gap that this error does not fill
            return str(self)


class InvalidInput(MaquetteError):
    """The request is wrong; the message says what to change."""

    code = "invalid_input"

    def __init__(self, message: str, *, code: str | None = None, **values: object) -> None:
        super().__init__(message, code=code, **{"reason": message, **values})


class NotFound(MaquetteError):
    """No such thing."""

    code = "not_found"


class Conflict(MaquetteError):
    """Not now: the thing is in another state."""

    code = "conflict"


class BudgetExceeded(MaquetteError):
    """The brand's month is used up (``budget_exceeded``), or its plan does not allow it (``duration_not_allowed``)."""

    code = "budget_exceeded"


class AccessDenied(MaquetteError):
    """A token or access code is missing or wrong."""

    code = "unauthorized"


class ConfigurationError(MaquetteError):
    """A setting, a tool or a folder is missing or unusable; the message says how to get it."""

    code = "configuration"


class StackError(MaquetteError):
    """A server of the stack did not start, or is not there."""

    code = "stack"


class LeaseHeld(MaquetteError):
    """Another run holds the item, or the item has ended."""

    code = "lease"


class StaleLease(MaquetteError):
    """This run lost its item to another; nothing more may be written by it."""

    code = "lease"


class StorageError(MaquetteError):
    """A file could not be kept; code ``storage_full`` when no space is left."""

    code = "storage"


class MediaError(MaquetteError):
    """A clip cannot be used (``bad_clip``), or a film fails (``assembly_failed``)."""

    code = "bad_clip"

    def __init__(self, message: str, *, code: str | None = None, **values: object) -> None:
        super().__init__(message, code=code, **{"reason": message, **values})


class ProviderError(MaquetteError):
    """What a provider raised, translated at its adapter."""

    code = "provider_rejected"


class Transient(ProviderError):
    """Worth another try, not before ``retry_after_s`` where the provider named it."""

    code = "provider_unavailable"

    def __init__(
        self, message: str, *, code: str | None = None, retry_after_s: float | None = None, **values: object
    ) -> None:
        super().__init__(message, code=code, **values)
        self.retry_after_s = retry_after_s


class QuotaExceeded(ProviderError):
    """The account's quota at the provider is used up."""

    code = "quota_exceeded"

    def __init__(
        self, message: str, *, code: str | None = None, retry_after_s: float | None = None, **values: object
    ) -> None:
        super().__init__(message, code=code, **values)
        self.retry_after_s = retry_after_s


class Filtered(ProviderError):
    """Refused by a safety rule: reword once, then fail. Not charged."""

    code = "filtered"


class Invalid(ProviderError):
    """The provider will never take this request."""

    code = "provider_rejected"


class OutcomeUnknown(ProviderError):
    """Sent, and no answer came: look the call up, never send it again blindly."""

    code = "outcome_unknown"


def is_outage(error: BaseException) -> bool:
    """Is a provider out of service for now (a 429, a 5xx, no connection), and the request itself not at fault?"""
    if isinstance(error, MaquetteError) and error.values.get("outage"):
        return True
    if isinstance(error, Transient):
        return error.code != "operation_timeout" and not error.values.get("operation_ended")
    return isinstance(error, QuotaExceeded)
