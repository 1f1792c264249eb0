"""Clips from Google's Veo on Vertex AI (package ``google-genai``, the extra ``google``).

Veo bills finished clips; a filtered one is free. It keeps no reference of the caller's and lists no operations, so
``find`` cannot tell. Refusals come three ways: HTTP 400, an operation that ends with an error, and an operation
that ends well with ``raiMediaFilteredCount`` and without a video.
"""

import importlib
from datetime import datetime
from pathlib import Path
from typing import Final, Self

import google.auth.credentials
import google.auth.exceptions
from google.genai import errors, types

from maquette.errors import Invalid, OutcomeUnknown, ProviderError, QuotaExceeded, Transient
from maquette.providers.catalogue import Profile
from maquette.providers.clips.port import ClipRequest, FetchedClip, OperationState, OperationStatus
from maquette.providers.clips.translation import (
    check_request,
    download,
    refusal_code,
    refused,
    retry_after,
    write_clip,
)
from maquette.providers.vertex import UNANSWERED, UNREACHABLE, connect, translated

_VARIABLE: Final = "GOOGLE_APPLICATION_CREDENTIALS, MAQUETTE_GOOGLE_PROJECT and the account's rights on Vertex AI"
_RESOURCE_EXHAUSTED: Final = 8  # codes of google.rpc.Code
_REFUSED_CODES: Final = (3, 7, 9)


class VeoClips:
    """One Veo model in a Google Cloud ``project``. ``timeout_s`` is for each HTTP request.

    Without ``credentials`` the application default credentials are used, which are looked for at the first call.
    """

    def __init__(
        self,
        project: str,
        *,
        profile: Profile,
        location: str = "us-central1",
        base_url: str | None = None,
        credentials: google.auth.credentials.Credentials | None = None,
        timeout_s: float = 60,
    ) -> None:
        self.profile = profile
        self._timeout_s = timeout_s
        self._client = connect(
            project=project, location=location, credentials=credentials, base_url=base_url, timeout_s=timeout_s
        )

    def close(self) -> None:
        """Give the connections back."""
        self._client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def submit(self, request: ClipRequest, *, reference: str) -> str:
        """``POST …:predictLongRunning``; see the port."""
        check_request(request, profile=self.profile)
        try:
            operation = self._client.models.generate_videos(
                model=self.profile.model,
                source=types.GenerateVideosSource(prompt=request.prompt()),
                config=types.GenerateVideosConfig(
                    number_of_videos=1,
                    duration_seconds=request.seconds,
                    aspect_ratio=request.aspect_ratio,
                    resolution=request.resolution,
                    generate_audio=self.profile.native_audio,
                    person_generation="allow_all",
                    seed=request.seed,
                ),
            )
        except errors.APIError as error:
            if error.code == 504:
                raise OutcomeUnknown("Google's gateway timed out: look for the clip") from error
            raise translated(error, variable=_VARIABLE) from error
        except google.auth.exceptions.GoogleAuthError as error:
            raise _no_credentials(error) from error
        except UNREACHABLE as error:
            raise Transient(f"Veo cannot be reached ({type(error).__name__}): try again") from error
        except UNANSWERED as error:
            raise OutcomeUnknown(f"no answer came from Veo ({type(error).__name__}): look for the clip") from error
        if not operation.name:
            raise OutcomeUnknown("Veo's answer names no operation: look for the clip")
        return operation.name

    def find(self, reference: str, *, since: datetime | None = None) -> str | None:
        """Always ``OutcomeUnknown``: Veo lists no operations."""
        raise OutcomeUnknown(f"Veo keeps no reference and lists no operations: the fate of {reference} is not known")

    def poll(self, operation_id: str) -> OperationStatus:
        """``POST …:fetchPredictOperation``."""
        operation = self._operation(operation_id)
        if not operation.done:
            return OperationStatus(state=OperationState.RUNNING, progress=0.5)
        if operation.error:
            raise _failed(operation.error)
        answer = operation.response
        if answer is not None and answer.generated_videos:
            return OperationStatus(state=OperationState.SUCCEEDED, progress=1)
        if answer is not None and answer.rai_media_filtered_count:
            raise refused("; ".join(answer.rai_media_filtered_reasons or ["no reason given"]), ended=True)
        raise Transient("Veo ended the operation without a clip: submit it again", operation_ended=True)

    def fetch(self, operation_id: str, destination: Path) -> FetchedClip:
        """Write the bytes of the answer, or download them from the bucket that it names."""
        answer = self._operation(operation_id).response
        clip = answer.generated_videos[0].video if answer is not None and answer.generated_videos else None
        if clip is None:
            raise Invalid(f"the operation {operation_id} has no clip: poll until it has succeeded")
        if clip.video_bytes:
            write_clip([clip.video_bytes], destination)
        elif clip.uri and clip.uri.startswith("gs://"):
            self._from_bucket(clip.uri, destination)
        else:
            download(clip.uri or "", destination, timeout_s=self._timeout_s)
        return FetchedClip(path=destination)

    def _from_bucket(self, uri: str, destination: Path) -> None:
        # Heavy, and needed only for answers that lie in a bucket.
        exceptions = importlib.import_module("google.api_core.exceptions")
        storage = importlib.import_module("google.cloud.storage")
        try:
            blob = storage.Blob.from_uri(uri, client=storage.Client())
            write_clip([blob.download_as_bytes(timeout=self._timeout_s)], destination)
        except exceptions.NotFound as error:
            raise Invalid(f"the clip is no longer at {uri}: generate it again") from error
        except google.auth.exceptions.GoogleAuthError as error:
            raise _no_credentials(error) from error
        except exceptions.GoogleAPIError as error:
            raise Transient(f"the clip could not be downloaded ({type(error).__name__}): try again") from error

    def _operation(self, operation_id: str) -> types.GenerateVideosOperation:
        if "/operations/" not in operation_id:
            raise Invalid(f"{operation_id} is no operation of Vertex AI", operation_ended=True)
        try:
            return self._client.operations.get(types.GenerateVideosOperation.model_validate({"name": operation_id}))
        except errors.APIError as error:
            raise translated(error, variable=_VARIABLE) from error
        except google.auth.exceptions.GoogleAuthError as error:
            raise _no_credentials(error) from error
        except UNANSWERED as error:
            raise Transient(f"Veo does not answer ({type(error).__name__}): try again") from error


def _failed(error: dict[str, object]) -> ProviderError:
    """``{code, message}`` of an operation that ended badly."""
    code, message = error.get("code"), str(error.get("message") or "no details")[:500]
    if refusal_code(message):
        return refused(message, ended=True)
    if code == _RESOURCE_EXHAUSTED:
        return QuotaExceeded(
            f"the quota at Google is used up: {message}", retry_after_s=retry_after(message, None), operation_ended=True
        )
    if code in _REFUSED_CODES:
        return Invalid(f"Veo rejected the request: {message}", operation_ended=True)
    return Transient(f"Veo failed ({code}: {message}): submit it again", operation_ended=True)


def _no_credentials(error: Exception) -> Invalid:
    return Invalid(f"Google took no credentials ({type(error).__name__}): check {_VARIABLE}")
