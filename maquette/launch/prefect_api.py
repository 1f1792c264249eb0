"""A connection to Prefect's API, and its silence as an error of ours."""

from typing import Any, Self

import httpx

from maquette.errors import StackError


class PrefectApi:
    """Prefect's API over its own client; a context manager, for it holds connections."""

    def __init__(self, api_url: str) -> None:
        from prefect.client.orchestration import SyncPrefectClient

        self._client = SyncPrefectClient(api_url, httpx_settings={"timeout": 10})

    def __enter__(self) -> Self:
        self._client.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        self._client.__exit__(*error)


def unreachable(error: httpx.HTTPError) -> StackError:
    """What a call that Prefect did not answer becomes."""
    return StackError(f"Prefect does not answer ({type(error).__name__}: {error})")
