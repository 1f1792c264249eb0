"""A bucket of Google Cloud Storage (package ``google-cloud-storage``).

A file's sha256 travels as metadata with the upload, and the server refuses bytes that do not match the checksum that
came along: so the metadata is as good as the bytes. Where somebody else put a file, its bytes are read.
"""

import hashlib
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Self
from urllib.parse import quote

import requests
from google.api_core import exceptions
from google.auth.credentials import Credentials
from google.auth.exceptions import DefaultCredentialsError, GoogleAuthError, TransportError

# The package would ask for the bucket's place, for traces that nobody keeps.
os.environ.setdefault("DISABLE_GCS_PYTHON_CLIENT_OTEL_BUCKET_METADATA", "true")

from google.cloud import storage  # type: ignore[import-untyped]
from google.cloud.storage.exceptions import DataCorruption, InvalidResponse  # type: ignore[import-untyped]

from maquette.errors import ConfigurationError, NotFound, StorageError, Transient
from maquette.storage.buckets.port import CACHE_CONTROL, check_name, check_prefix

_ADDRESS: Final = "https://storage.googleapis.com"
_DIGEST: Final = "sha256"


class GcsBucket:
    """The bucket ``name``. Without ``credentials`` the application default ones are taken.

    ``timeout_s`` is for each HTTP request. Raises ``ConfigurationError`` where there are no credentials.
    """

    def __init__(
        self,
        name: str,
        *,
        project: str | None = None,
        credentials: Credentials | None = None,
        base_url: str | None = None,
        public_url: str | None = None,
        timeout_s: float = 60,
    ) -> None:
        self.name = name
        self._timeout_s = timeout_s
        self._public_url = (public_url or f"{_ADDRESS}/{quote(name)}").rstrip("/")
        try:
            self._client = storage.Client(
                project=project or "none",  # it is asked for where a bucket is made, which is never done here
                credentials=credentials,
                client_options={"api_endpoint": base_url} if base_url else None,
            )
        except DefaultCredentialsError as error:
            raise ConfigurationError(
                "no credentials for Google Cloud Storage: set GOOGLE_APPLICATION_CREDENTIALS to a service account's "
                "file, or MAQUETTE_BUCKET to folder"
            ) from error
        self._bucket = self._client.bucket(name)

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
        blob = self._bucket.blob(check_name(name))
        blob.metadata = {_DIGEST: hashlib.sha256(data).hexdigest()}
        blob.cache_control = CACHE_CONTROL
        with self._translated():
            blob.upload_from_string(
                data, content_type=media_type, checksum="crc32c", timeout=self._timeout_s, retry=None
            )

    def digest(self, name: str) -> str | None:
        with self._translated():
            blob = self._bucket.get_blob(check_name(name), timeout=self._timeout_s, retry=None)
            if blob is None:
                self._require_bucket()
                return None
            told = (blob.metadata or {}).get(_DIGEST)
            if told is not None:
                return str(told)
            try:
                data = blob.download_as_bytes(checksum="crc32c", timeout=self._timeout_s, retry=None)
            except exceptions.NotFound:  # gone since it was looked up
                return None
        return hashlib.sha256(data).hexdigest()

    def copy(self, source: str, target: str) -> None:
        blob, made = self._bucket.blob(check_name(source)), self._bucket.blob(check_name(target))
        with self._translated():
            try:
                token, _, _ = made.rewrite(blob, timeout=self._timeout_s, retry=None)
                while token is not None:
                    token, _, _ = made.rewrite(blob, token=token, timeout=self._timeout_s, retry=None)
            except exceptions.NotFound as error:
                self._require_bucket()
                raise NotFound(f"{source} is not in the bucket {self.name}: nothing was copied") from error

    def delete(self, names: Iterable[str]) -> None:
        with self._translated():
            for blob in [self._bucket.blob(check_name(name)) for name in names]:
                try:
                    blob.delete(timeout=self._timeout_s, retry=None)
                except exceptions.NotFound:
                    self._require_bucket()

    def list(self, prefix: str) -> Sequence[str]:
        with self._translated():
            found = self._client.list_blobs(
                self._bucket, prefix=check_prefix(prefix), timeout=self._timeout_s, retry=None
            )
            return sorted(blob.name for blob in found)

    def public_url(self, name: str) -> str:
        return f"{self._public_url}/{quote(check_name(name))}"

    def _require_bucket(self) -> None:
        """The server answers 404 for a file and for a bucket alike. Listing needs no right beyond those needed."""
        next(iter(self._client.list_blobs(self._bucket, max_results=1, timeout=self._timeout_s, retry=None)), None)

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except exceptions.NotFound as error:
            raise ConfigurationError(
                f"Google Cloud Storage has no bucket {self.name}: make it, or set MAQUETTE_BUCKET_NAME to yours"
            ) from error
        except (requests.ConnectionError, requests.Timeout, exceptions.RetryError, TransportError) as error:
            raise Transient(f"Google Cloud Storage cannot be reached ({type(error).__name__}): try again") from error
        except (exceptions.Unauthorized, exceptions.Forbidden, GoogleAuthError) as error:
            raise ConfigurationError(
                f"Google Cloud Storage does not let us into the bucket {self.name} ({type(error).__name__}): give the "
                "account of GOOGLE_APPLICATION_CREDENTIALS the right to read and write its objects"
            ) from error
        except (exceptions.TooManyRequests, exceptions.ServerError) as error:
            raise Transient(f"Google Cloud Storage is in trouble ({error.code}): try again") from error
        except (DataCorruption, requests.RequestException) as error:
            raise Transient(
                f"bytes were lost on the way to or from Google ({type(error).__name__}): try again"
            ) from error
        except (exceptions.GoogleAPICallError, InvalidResponse) as error:
            said = str(getattr(error, "message", error))[:300]
            if "checksum" in said.lower() or "crc32c" in said.lower():
                raise Transient(f"bytes were lost on the way to Google ({said}): try again") from error
            raise StorageError(
                f"Google Cloud Storage refused the request ({said}): change the file or its name"
            ) from error
