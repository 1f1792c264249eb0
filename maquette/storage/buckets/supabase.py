"""A bucket of Supabase Storage, over its REST interface.

Its errors are HTTP 400 with the true status as text in the body; newer servers answer with the status itself. Names
are what S3 holds for safe, which has no accents.
"""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, Self
from urllib.parse import quote
from uuid import uuid4

import httpx
from pydantic import BaseModel, TypeAdapter, ValidationError

from maquette.errors import ConfigurationError, MaquetteError, NotFound, StorageError, Transient
from maquette.storage.buckets.port import CACHE_CONTROL, check_name, check_prefix

_PAGE: Final = 1000
_DELETED_AT_ONCE: Final = 500  # the server takes 1,000: https://github.com/supabase/supabase/pull/38134
_VARIABLES: Final = "MAQUETTE_SUPABASE_URL and MAQUETTE_SUPABASE_KEY"


class _Refusal(BaseModel):
    statusCode: str | int | None = None  # noqa: N815 - the wire's name
    error: str = ""
    message: str = ""
    code: str = ""


class _Listed(BaseModel):
    """A file, or a folder: that has no id."""

    name: str
    id: str | None = None


_PAGES: Final = TypeAdapter(list[_Listed])


class SupabaseBucket:
    """The bucket ``name`` of the project at ``url``, with its service key. ``timeout_s`` is for each HTTP request."""

    def __init__(self, name: str, *, url: str, key: str, public_url: str | None = None, timeout_s: float = 60) -> None:
        self.name = name
        address = f"{url.rstrip('/')}/storage/v1/"
        self._public_url = (public_url or f"{address}object/public/{quote(name)}").rstrip("/")
        self._key = key
        self._client = httpx.Client(
            base_url=address,
            headers={"Authorization": f"Bearer {key}", "apikey": key},
            timeout=httpx.Timeout(timeout_s, connect=min(10, timeout_s)),
        )

    def close(self) -> None:
        """Give the connections back."""
        self._client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def put(self, name: str, path: Path, *, media_type: str) -> None:
        try:
            data = path.read_bytes()
        except OSError as error:
            raise StorageError(f"{path} could not be read ({error.strerror}): make it again") from error
        headers = {"Content-Type": media_type, "x-upsert": "true", "cache-control": CACHE_CONTROL}
        self._call("POST", self._address(name), content=data, headers=headers)

    def digest(self, name: str) -> str | None:
        # A network of caches stands before the server; an address that was never asked for reaches it.
        address = self._address(name, "object/authenticated")
        found = hashlib.sha256()
        try:
            with self._reached(), self._client.stream("GET", address, params={"fresh": uuid4().hex}) as answer:
                if answer.status_code != 200:
                    answer.read()
                    raise self._refused(answer)
                for chunk in answer.iter_bytes():
                    found.update(chunk)
        except NotFound:
            return None
        return found.hexdigest()

    def copy(self, source: str, target: str) -> None:
        asked = {"bucketId": self.name, "sourceKey": check_name(source), "destinationKey": check_name(target)}
        self._call("POST", "object/copy", json=asked, headers={"x-upsert": "true"})

    def delete(self, names: Iterable[str]) -> None:
        kept = [check_name(name) for name in names]
        for first in range(0, len(kept), _DELETED_AT_ONCE):
            asked = {"prefixes": kept[first : first + _DELETED_AT_ONCE]}
            self._call("DELETE", f"object/{quote(self.name)}", json=asked)

    def list(self, prefix: str) -> Sequence[str]:
        return sorted(self._below(check_prefix(prefix)))

    def public_url(self, name: str) -> str:
        return f"{self._public_url}/{quote(check_name(name))}"

    def _below(self, prefix: str) -> Iterator[str]:
        offset = 0
        while True:
            order = {"column": "name", "order": "asc"}
            asked = {"prefix": prefix, "limit": _PAGE, "offset": offset, "sortBy": order}
            answer = self._call("POST", f"object/list/{quote(self.name)}", json=asked)
            try:
                page = _PAGES.validate_json(answer.content)
            except ValidationError as error:
                raise Transient("Supabase Storage's list of files cannot be read: try again") from error
            for one in page:
                if one.id is None:
                    yield from self._below(f"{prefix}{one.name}/")
                else:
                    yield f"{prefix}{one.name}"
            offset += len(page)
            if len(page) < _PAGE:
                return

    def _address(self, name: str, verb: str = "object") -> str:
        return f"{verb}/{quote(self.name)}/{quote(check_name(name))}"

    def _call(self, method: str, address: str, **asked: Any) -> httpx.Response:
        with self._reached():
            answer = self._client.request(method, address, **asked)
        if answer.status_code >= 300:
            raise self._refused(answer)
        return answer

    @contextmanager
    def _reached(self) -> Iterator[None]:
        try:
            yield
        except (httpx.UnsupportedProtocol, httpx.InvalidURL) as error:
            raise ConfigurationError(
                f"MAQUETTE_SUPABASE_URL is no address ({type(error).__name__}): set it to https://<project>.supabase.co"
            ) from error
        except httpx.HTTPError as error:
            raise Transient(f"Supabase Storage cannot be reached ({type(error).__name__}): try again") from error

    def _refused(self, answer: httpx.Response) -> MaquetteError:
        try:
            told = _Refusal.model_validate_json(answer.content)
        except ValidationError:
            told = _Refusal()
        inner = str(told.statusCode or "")
        status = int(inner) if inner.isdigit() and answer.status_code == 400 else answer.status_code
        said = (told.message or told.error or told.code)[:300].replace(self._key, "***")
        header = answer.headers.get("Retry-After", "")
        wait_s = float(header) if header.isdigit() else None
        if status in (408, 409, 429) or status >= 500:
            return Transient(f"Supabase Storage is in trouble ({status}: {said}): try again", retry_after_s=wait_s)
        if status in (401, 403):
            return ConfigurationError(f"Supabase Storage does not let us in ({status}: {said}): check {_VARIABLES}")
        if status == 404 and "bucket" in f"{told.error} {told.message} {told.code}".lower():
            return ConfigurationError(
                f"Supabase Storage has no bucket {self.name}: make it, or set MAQUETTE_BUCKET_NAME to yours"
            )
        if status == 404:
            return NotFound(f"there is no such file in the bucket {self.name} ({said})")
        if "key" in f"{told.error} {told.code}".lower():
            return StorageError(f"Supabase Storage takes no such name ({said}): rename the file, without accents")
        return StorageError(f"Supabase Storage refused the request ({status}: {said}): change the file or its name")
