"""Images from Google's Gemini models (package ``google-genai``, the extra ``google``), with a key or on Vertex AI.

One blocking call makes the picture, so its answer is spooled (see ``spool``): ``poll`` and ``fetch`` read from there.
A refusal is a good answer without a picture: ``promptFeedback.blockReason``, a finish reason that names a rule, or
words alone. Google keeps no reference: what was cut off cannot be looked up.
"""

from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Self

import google.auth.credentials
import google.auth.exceptions
from google.genai import errors, types

from maquette.errors import Invalid, OutcomeUnknown, Transient
from maquette.providers.books import disk_error
from maquette.providers.catalogue import Profile
from maquette.providers.clips.port import OperationState, OperationStatus
from maquette.providers.clips.translation import refused
from maquette.providers.images.port import ImageRequest
from maquette.providers.images.spool import Record, Spool
from maquette.providers.images.transfer import check_request, keep, read_kept, read_reference
from maquette.providers.vertex import UNANSWERED, UNREACHABLE, connect, translated

_VARIABLE: Final = "MAQUETTE_GOOGLE_API_KEY, or the Google credentials and the account's rights on Vertex AI"
# Finish reasons of an answer without a picture that are worth another try; all others are refusals.
_FAILURES: Final = ("MAX_TOKENS", "OTHER", "MALFORMED_RESPONSE", "MALFORMED_FUNCTION_CALL", "UNEXPECTED_TOOL_CALL",
                    "TOO_MANY_TOOL_CALLS", "FINISH_REASON_UNSPECIFIED")  # fmt: skip


class GeminiImages:
    """One Gemini model, with ``api_key`` or in a Google Cloud ``project``; answers are kept below ``root``.

    ``timeout_s`` is for each HTTP request. Without ``credentials`` a project's calls take the application default ones.
    """

    def __init__(
        self,
        root: Path,
        *,
        profile: Profile,
        api_key: str | None = None,
        project: str | None = None,
        location: str | None = None,
        credentials: google.auth.credentials.Credentials | None = None,
        base_url: str | None = None,
        timeout_s: float = 300,
    ) -> None:
        self.profile = profile
        self._key = api_key
        self._client = connect(
            api_key=api_key,
            project=project,
            location=location,
            credentials=credentials,
            base_url=base_url,
            timeout_s=timeout_s,
        )
        try:
            self._spool = Spool(root)
        except OSError as error:
            raise disk_error(error, "make its spool") from error

    def close(self) -> None:
        """Give the connections back."""
        self._client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def submit(self, request: ImageRequest, *, reference: str, files: list[Path]) -> str:
        """``POST …:generateContent``, and the answer into the spool; see the port.

        Raises ``OutcomeUnknown`` for a reference that was sent before, and where an answer could not be kept.
        """
        check_request(request, files, profile=self.profile)
        parts = [types.Part.from_text(text=request.full_prompt())]
        for path in files:
            data, media_type = read_reference(path)
            parts.append(types.Part.from_bytes(data=data, mime_type=media_type))
        try:
            if self._spool.record(Spool.name(reference)) is not None:
                return Spool.name(reference)
            self._spool.begin(reference)
        except OSError as error:
            raise disk_error(error, "mark the call in its spool") from error
        answer = self._sent(parts, request, reference)
        record, picture = _read(answer, reference)
        try:
            return self._spool.finish(record, picture)
        except OSError as error:
            raise OutcomeUnknown(f"Gemini's answer could not be kept ({error}): see to the disk") from error

    def _sent(
        self, parts: list[types.Part], request: ImageRequest, reference: str
    ) -> types.GenerateContentResponse:  # fmt: skip
        size = self.profile.resolutions[0] if self.profile.resolutions else None
        try:
            return self._client.models.generate_content(
                model=self.profile.model,
                contents=types.Content(role="user", parts=parts),
                config=types.GenerateContentConfig(
                    response_modalities=["TEXT", "IMAGE"],
                    image_config=types.ImageConfig(aspect_ratio=request.aspect_ratio(), image_size=size),
                    seed=request.seed,
                ),
            )
        except errors.APIError as error:
            if error.code == 504:
                raise OutcomeUnknown("Google's gateway timed out: nobody can tell the picture's fate") from error
            self._spool.drop(reference)
            raise translated(error, variable=_VARIABLE, secret=self._key) from error
        except google.auth.exceptions.GoogleAuthError as error:
            self._spool.drop(reference)
            raise Invalid(f"Google took no credentials ({type(error).__name__}): check {_VARIABLE}") from error
        except UNREACHABLE as error:
            self._spool.drop(reference)
            raise Transient(f"Gemini cannot be reached ({type(error).__name__}): try again") from error
        except UNANSWERED as error:
            raise OutcomeUnknown(f"no answer came from Gemini ({type(error).__name__})") from error

    def find(self, reference: str, *, since: datetime | None = None) -> str | None:
        """The answer in the spool; ``None`` where nothing was sent under ``reference``, else ``OutcomeUnknown``."""
        try:
            return self._spool.find(reference, since=since)
        except OSError as error:
            raise disk_error(error, "read its spool") from error

    def poll(self, operation_id: str) -> OperationStatus:
        """What the spool has; nothing is asked of Google."""
        record = self._record(operation_id)
        match record.outcome:
            case "picture":
                return OperationStatus(state=OperationState.SUCCEEDED, progress=1)
            case "refused":
                raise refused(record.message, ended=True)
            case "failed":
                raise Transient(f"Gemini made no picture ({record.message}): submit it again", operation_ended=True)

    def fetch(self, operation_id: str, destination: Path) -> Path:
        """Copy the picture out of the spool."""
        if self._record(operation_id).outcome != "picture":
            raise Invalid(f"the operation {operation_id} has no picture: poll tells why")
        return keep(read_kept(self._spool.picture(operation_id)), destination)

    def _record(self, operation_id: str) -> Record:
        try:
            record = self._spool.record(operation_id)
        except OSError as error:
            raise disk_error(error, "read its spool") from error
        if record is None:
            raise Invalid(f"there is no answer {operation_id} in Gemini's spool", operation_ended=True)
        return record


def _read(answer: types.GenerateContentResponse, reference: str) -> tuple[Record, bytes]:
    at = datetime.now(UTC)
    if answer.prompt_feedback is not None and answer.prompt_feedback.block_reason is not None:
        why = f"{answer.prompt_feedback.block_reason.value} {answer.prompt_feedback.block_reason_message or ''}"
        return Record(at=at, reference=reference, outcome="refused", message=why.strip()), b""
    candidate = answer.candidates[0] if answer.candidates else None
    parts = (candidate.content.parts if candidate is not None and candidate.content is not None else None) or []
    for part in parts:
        # Thoughts hold drafts of the picture.
        if not part.thought and part.inline_data is not None and part.inline_data.data:
            return Record(at=at, reference=reference, outcome="picture"), part.inline_data.data
    words = " ".join(part.text for part in parts if part.text and not part.thought)
    reason = candidate.finish_reason.value if candidate is not None and candidate.finish_reason is not None else ""
    said = ": ".join(filter(None, (reason, (candidate.finish_message if candidate else None) or words)))[:500]
    # A good end without a word is no refusal.
    refusal = bool(words) if reason == "STOP" else bool(reason) and reason not in _FAILURES
    outcome = "refused" if refusal else "failed"
    return Record.model_validate(
        {"at": at, "reference": reference, "outcome": outcome, "message": said or "no word"}
    ), b""
