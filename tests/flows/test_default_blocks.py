"""What a server gives back of the blocks that choose providers and publisher."""

from collections.abc import AsyncIterator

import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import BlockDocumentUpdate
from pydantic import SecretStr

from blocks.providers import (
    BLOCKS,
    ClipProviderBlock,
    ImageProviderBlock,
    MusicProviderBlock,
    PublisherBlock,
    ScriptWriterBlock,
    chosen,
)
from maquette.errors import ConfigurationError
from maquette.settings import Settings

# Prefect's engine and its test server leave sockets to the garbage collector.
pytestmark = [pytest.mark.anyio, pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")]
SECRET = "r8_do_not_show_this"


@pytest.fixture
async def _unknown_types() -> AsyncIterator[None]:
    """A server that knows none of the types, and forgets them and their documents: the other tests use it too."""
    names = {kind.get_block_type_slug() for kind in BLOCKS}
    async with get_client() as client:
        assert names.isdisjoint(kind.slug for kind in await client.read_block_types())
        yield
        for kind in await client.read_block_types():
            if kind.slug in names:
                await client.delete_block_type(kind.id)


@pytest.mark.usefixtures("_unknown_types")
async def test_runs_use_the_documents_named_default_where_the_server_has_them(plain: Settings) -> None:
    assert await chosen(plain) == plain  # not even the types are known there
    async with get_client() as client:
        for kind in BLOCKS:
            await kind.aregister_type_and_schema(client=client)
    assert await chosen(plain) == plain
    await ClipProviderBlock(provider="replicate", token=SecretStr(SECRET)).asave("default")
    await ImageProviderBlock(provider="gemini", token=SecretStr(SECRET)).asave("default")
    await MusicProviderBlock(provider="replicate", model="minimax/music-1.5").asave("default")
    await PublisherBlock(bucket="supabase", supabase_key=SecretStr(SECRET)).asave("default")
    await ScriptWriterBlock(provider="openai", model="qwen3", api_key=SecretStr(SECRET)).asave("other")
    settings = await chosen(plain)
    assert settings.replicate_api_token is not None
    assert settings.replicate_api_token.get_secret_value() == SECRET
    chosen_providers = settings.clip_provider, settings.image_provider, settings.text_provider
    assert chosen_providers == ("replicate", "gemini", "local")
    assert (settings.music_provider, settings.music_model) == ("replicate", "minimax/music-1.5")
    assert (settings.loop_provider, settings.bucket) == ("local", "supabase")
    assert settings.supabase_key == SecretStr(SECRET)
    assert (await chosen(plain, name="other")).openai_model == "qwen3"
    async with get_client() as client:
        document = await client.read_block_document_by_name("default", "maquette-clip-provider")
        await client.update_block_document(document.id, BlockDocumentUpdate(data={"provider": "sora"}))
    with pytest.raises(ConfigurationError, match="save it anew"):
        await chosen(plain)
