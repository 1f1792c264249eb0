"""Runs of deployments that no order stands behind, such as migrations: started, looked at, cancelled."""

from collections.abc import Mapping
from typing import Final, NamedTuple
from uuid import UUID

import httpx
from pydantic import JsonValue

from maquette.errors import StackError
from maquette.launch.prefect_api import PrefectApi, unreachable

DATABASE_BLOCK: Final = "maquette-database"


class DeployedRun(NamedTuple):
    """Where a run stands: Prefect's name of its state, and what the state says."""

    state: str
    message: str
    ended: bool
    failed: bool
    waits: bool
    """It is suspended: its page shows a form."""


class DeployedRuns(PrefectApi):
    """Runs of deployments, and the blocks that they name. All methods raise ``StackError``."""

    def keep_database(self, name: str, *, url: str, scratch_url: str | None) -> None:
        """Write the block document ``name``: Prefect encrypts its URLs, and runs know only the name."""
        from prefect.client.schemas.actions import BlockDocumentCreate, BlockDocumentUpdate
        from prefect.exceptions import ObjectNotFound

        data = {"url": url} | ({"scratch_url": scratch_url} if scratch_url else {})
        try:
            block_type = self._client.read_block_type_by_slug(DATABASE_BLOCK)
            schema = self._client.get_most_recent_block_schema_for_block_type(block_type.id)
            if schema is None:
                raise _unknown(DATABASE_BLOCK)
            try:
                there = self._client.read_block_document_by_name(name, DATABASE_BLOCK)
                self._client.update_block_document(
                    there.id, BlockDocumentUpdate(block_schema_id=schema.id, data=data, merge_existing_data=False)
                )
            except ObjectNotFound:
                self._client.create_block_document(
                    BlockDocumentCreate(name=name, data=data, block_schema_id=schema.id, block_type_id=block_type.id)
                )
        except ObjectNotFound as error:
            raise _unknown(DATABASE_BLOCK) from error
        except httpx.HTTPError as error:
            raise unreachable(error) from error

    def start(self, deployment: str, parameters: Mapping[str, JsonValue], *, name: str, tags: list[str]) -> UUID:
        """Start a run of ``flow/deployment``; its id."""
        from prefect.exceptions import ObjectNotFound

        try:
            found = self._client.read_deployment_by_name(deployment)
            run = self._client.create_flow_run_from_deployment(
                found.id, parameters=dict(parameters), name=name, tags=tags
            )
        except ObjectNotFound as error:
            raise _unknown(deployment) from error
        except httpx.HTTPError as error:
            raise unreachable(error) from error
        return run.id

    def look(self, run_id: UUID) -> DeployedRun:
        """Where the run stands."""
        try:
            state = self._client.read_flow_run(run_id).state
        except httpx.HTTPError as error:
            raise unreachable(error) from error
        if state is None:
            return DeployedRun("Scheduled", "", ended=False, failed=False, waits=False)
        return DeployedRun(
            state.name or state.type.value.title(),
            state.message or "",
            ended=state.is_final(),
            failed=state.is_failed() or state.is_crashed() or state.is_cancelled(),
            waits=state.is_paused(),
        )


def _unknown(what: str) -> StackError:
    return StackError(f"Prefect does not know {what}: run `python -m deployments` in a checkout")
