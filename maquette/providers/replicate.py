"""Predictions at Replicate (package ``replicate``), whatever the model makes.

The package creates predictions; everything else is read with a plain client, because the package retries reads ten
times while it blocks, fails on the status ``aborted`` and on ``version: null``, and sends the token to the host of
the output files.

Replicate keeps no reference of the caller's, but echoes a prediction's input when it lists them. So the reference
travels as the model's ``seed``: 31 bits of its sha256, by which ``find`` knows the call again. A submission's seed
is therefore the provider's business; the request's own has no say.
"""

import base64
import hashlib
import threading
from datetime import datetime, timedelta
from typing import Final, Self, TypeVar

import httpx
import replicate.client
import replicate.exceptions
from pydantic import BaseModel, ValidationError

from maquette.errors import Invalid, OutcomeUnknown, ProviderError, Transient
from maquette.providers.catalogue import Profile
from maquette.providers.clips.port import OperationState, OperationStatus
from maquette.providers.clips.translation import http_error, refusal_code, refused

_ADDRESS: Final = "https://api.replicate.com"
_VARIABLE: Final = "MAQUETTE_REPLICATE_API_TOKEN"
_PAGES: Final = 5  # of a hundred predictions each
_CLOCKS: Final = timedelta(minutes=5)  # what two clocks may differ by
_INLINE_BYTES: Final = 256_000  # Replicate's own advice for data URIs; what is larger is uploaded first


class _Prediction(BaseModel):
    id: str
    model: str | None = None
    status: str = "starting"
    input: dict[str, object] | None = None
    output: object = None
    error: object = None
    created_at: datetime | None = None
    data_removed: bool = False


class _Page(BaseModel):
    results: list[_Prediction]
    next: str | None = None


class _File(BaseModel):
    urls: dict[str, str]


_T = TypeVar("_T", bound=BaseModel)


def seed_of(reference: str) -> int:
    """The seed that stands for ``reference``: 31 bits."""
    return int.from_bytes(hashlib.sha256(reference.encode()).digest()[:4]) & 0x7FFFFFFF


class Predictions:
    """One model of Replicate, ``profile.model`` as ``owner/name``. ``timeout_s`` is for each HTTP request.

    ``seed_input`` is the name of the model's seed, which carries the reference; ``None`` where it takes none.
    """

    def __init__(
        self,
        token: str,
        *,
        profile: Profile,
        base_url: str | None = None,
        timeout_s: float = 60,
        seed_input: str | None = "seed",
    ) -> None:
        self.profile = profile
        self._seed_input = seed_input
        self._token, self.timeout_s = token, timeout_s
        self._answers = threading.local()
        address = base_url or _ADDRESS
        limits = httpx.Timeout(timeout_s, connect=min(10, timeout_s))
        self._connections = httpx.HTTPTransport()
        self._creator = replicate.client.Client(
            api_token=token,
            base_url=address,
            timeout=limits,
            transport=self._connections,
            event_hooks={"response": [self._remember]},
        )
        self.reader = httpx.Client(base_url=address, headers={"Authorization": f"Bearer {token}"}, timeout=limits)

    def close(self) -> None:
        """Give the connections back."""
        self.reader.close()
        self._connections.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _remember(self, answer: httpx.Response) -> None:
        answer.read()
        self._answers.last = answer

    def file_input(self, data: bytes, *, name: str, media_type: str) -> str:
        """A file as a model's input: a data URI, or the address of an upload where it is large.

        Nothing is ordered by it: a failed upload is ``Transient`` or what the answer says.
        """
        if len(data) <= _INLINE_BYTES:
            return f"data:{media_type};base64,{base64.b64encode(data).decode()}"
        try:
            answer = self.reader.post("/v1/files", files={"content": (name, data, media_type)})
        except httpx.HTTPError as error:
            raise Transient(f"the reference could not be uploaded ({type(error).__name__}): try again") from error
        self.check(answer, expected=201)
        try:
            return _File.model_validate_json(answer.content).urls["get"]
        except (ValidationError, KeyError) as error:
            raise Transient("Replicate's answer to an upload cannot be read: try again") from error

    def create(self, asked: dict[str, object], *, reference: str) -> str:
        """``POST /v1/models/{model}/predictions``; the prediction's id. Errors as the ports have them."""
        if self._seed_input is not None:
            asked = {**asked, self._seed_input: seed_of(reference)}
        self._answers.last = None
        try:
            return str(self._creator.models.predictions.create(model=self.profile.model, input=asked).id)
        except replicate.exceptions.ReplicateError as error:
            if error.status == 504:
                raise OutcomeUnknown("Replicate's gateway timed out: look the call up") from error
            header = None if self._answers.last is None else self._answers.last.headers.get("Retry-After")
            raise self._http_error(error.status or 500, error.detail or error.title or "", header) from error
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
            raise Transient(f"Replicate cannot be reached ({type(error).__name__}): try again") from error
        except httpx.HTTPError as error:
            raise OutcomeUnknown(f"no answer came from Replicate ({type(error).__name__}): look the call up") from error
        except ValueError as error:
            # The package could not read the answer, but the order was taken: its id is what counts.
            try:
                return _Prediction.model_validate_json(self._answers.last.content).id
            except (ValidationError, AttributeError):
                raise OutcomeUnknown("Replicate's answer cannot be read: look the call up") from error

    def find(self, reference: str, *, since: datetime | None = None) -> str | None:
        """The prediction that carries the reference's seed, among the recent ones.

        ``since`` is when the call was meant at the earliest. Without it, a prediction whose input Replicate has
        removed (after an hour) might be the one, and nobody can tell. Where the model takes no seed, any prediction
        of it since then might be the one.
        """
        address = "/v1/predictions"
        for _ in range(_PAGES):
            page = self._read(address, _Page)
            for one in page.results:
                if self._seed_input and one.input and one.input.get(self._seed_input) == seed_of(reference):
                    return one.id
                if since is not None and one.created_at is not None and one.created_at < since - _CLOCKS:
                    return None
                if one.model not in (None, self.profile.model):
                    continue
                if self._seed_input is None:
                    raise OutcomeUnknown(f"{self.profile.model} carries no mark of the call: it cannot be told")
                if one.input is None or one.data_removed:
                    raise OutcomeUnknown("Replicate has removed the input of a prediction that might be this call")
            if page.next is None:
                return None
            address = page.next
        raise OutcomeUnknown(f"not among the last {_PAGES} pages of Replicate's predictions: it cannot be told")

    def poll(self, operation_id: str) -> OperationStatus:
        """``GET /v1/predictions/{id}``."""
        prediction = self._prediction(operation_id)
        match prediction.status:
            case "succeeded":
                return OperationStatus(state=OperationState.SUCCEEDED, progress=1)
            case "failed" | "canceled" | "aborted":
                said = self._clean(str(prediction.error or prediction.status))
                if refusal_code(said):
                    raise refused(said, ended=True)
                raise Transient(f"the prediction {prediction.status}: {said}; submit it again", operation_ended=True)
            case "starting":
                return OperationStatus(state=OperationState.RUNNING, progress=0.05)
            case _:
                return OperationStatus(state=OperationState.RUNNING, progress=0.5)

    def output(self, operation_id: str) -> str:
        """The address of the first output. Raises ``Invalid`` where there is none."""
        output = self._prediction(operation_id).output
        url = output[0] if isinstance(output, list) and output else output
        url = url.get("url") if isinstance(url, dict) else url
        if not isinstance(url, str):
            raise Invalid(f"the prediction {operation_id} has no output: it may have been removed; generate it again")
        return url

    def _prediction(self, operation_id: str) -> _Prediction:
        if not operation_id.isalnum():
            raise Invalid(f"{operation_id} is no prediction of Replicate", operation_ended=True)
        return self._read(f"/v1/predictions/{operation_id}", _Prediction)

    def _read(self, address: str, shape: type[_T]) -> _T:
        try:
            answer = self.reader.get(address)
        except httpx.HTTPError as error:
            raise Transient(f"Replicate does not answer ({type(error).__name__}): try again") from error
        self.check(answer, expected=200)
        try:
            return shape.model_validate_json(answer.content)
        except ValidationError as error:
            raise Transient("Replicate's answer cannot be read: try again") from error

    def check(self, answer: httpx.Response, *, expected: int) -> None:
        """Raise the translated error of an answer with another status."""
        if answer.status_code != expected:
            try:
                detail = str(answer.json().get("detail") or "")
            except (ValueError, AttributeError):
                detail = ""
            raise self._http_error(answer.status_code, detail, answer.headers.get("Retry-After"))

    def _http_error(self, status: int, message: str, header: str | None) -> ProviderError:
        return http_error(status, self._clean(message) or "no details", variable=_VARIABLE, header=header)

    def _clean(self, message: str) -> str:
        return message.replace(self._token, "***")[:500]
