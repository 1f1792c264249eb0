"""The blocks that choose providers and publisher: what they build and hide."""

from inspect import isabstract

import pytest
from prefect.blocks.core import Block
from pydantic import SecretStr, ValidationError

from blocks.choice import ChoiceBlock
from blocks.providers import (
    BLOCKS,
    ClipProviderBlock,
    ImageProviderBlock,
    LoopProviderBlock,
    MusicProviderBlock,
    PublisherBlock,
    ScriptWriterBlock,
)
from maquette.errors import ConfigurationError
from maquette.settings import Settings

ProviderBlock = ClipProviderBlock | ImageProviderBlock | LoopProviderBlock | MusicProviderBlock | ScriptWriterBlock
SECRET = "r8_do_not_show_this"


def test_only_a_block_that_says_what_it_changes_can_be_made() -> None:
    class Silent(ChoiceBlock):
        """Changes nothing, and does not say so."""

    with pytest.raises(TypeError, match=r"abstract.* applied"):
        Silent()  # type: ignore[abstract]
    assert [block for block in BLOCKS if isabstract(block)] == []


def test_the_local_blocks_build_their_providers_without_keys(plain: Settings) -> None:
    assert ClipProviderBlock().clips(plain).profile.model == "drawn-1"
    assert ImageProviderBlock().images(plain).profile.model == "painted-1"
    assert LoopProviderBlock().loops(plain).profile.model == "animated-1"
    assert MusicProviderBlock().music(plain).profile.model == "songbook-1"
    assert ScriptWriterBlock().writer(plain).profile.model == "outline-1"


def test_a_block_with_its_credentials_builds_the_real_provider(plain: Settings) -> None:
    clips = ClipProviderBlock(provider="replicate", token=SecretStr(SECRET)).clips(plain)
    assert clips.profile.provider == "replicate"
    loops = LoopProviderBlock(provider="replicate", token=SecretStr(SECRET)).loops(plain)
    assert loops.profile.provider == "replicate"
    music = MusicProviderBlock(provider="replicate", token=SecretStr(SECRET), model="minimax/music-1.5").music(plain)
    assert music.profile.model == "minimax/music-1.5"
    for provider in ("replicate", "gemini"):
        images = ImageProviderBlock.model_validate({"provider": provider, "token": SECRET}).images(plain)
        assert images.profile.provider == provider
    writer = ScriptWriterBlock(provider="openai", model="qwen3", base_url="http://127.0.0.1:1/v1").writer(plain)
    assert writer.profile.provider == "openai"


def _build(block: ProviderBlock, settings: Settings) -> None:
    match block:
        case ClipProviderBlock():
            block.clips(settings)
        case ImageProviderBlock():
            block.images(settings)
        case LoopProviderBlock():
            block.loops(settings)
        case MusicProviderBlock():
            block.music(settings)
        case ScriptWriterBlock():
            block.writer(settings)


@pytest.mark.parametrize(
    ("block", "field"),
    [
        (ClipProviderBlock(provider="replicate"), "MAQUETTE_REPLICATE_API_TOKEN.*'Maquette clip provider'"),
        (ClipProviderBlock(provider="veo"), "MAQUETTE_GOOGLE_PROJECT.*'Maquette clip provider'"),
        (ClipProviderBlock(model="unheard-of"), "there are: local/drawn-1.*'Maquette clip provider'"),
        (ImageProviderBlock(provider="replicate"), "MAQUETTE_REPLICATE_API_TOKEN.*'Maquette image provider'"),
        (ImageProviderBlock(provider="gemini"), "MAQUETTE_GOOGLE_API_KEY.*'Maquette image provider'"),
        (LoopProviderBlock(provider="replicate"), "MAQUETTE_REPLICATE_API_TOKEN.*'Maquette loop provider'"),
        (LoopProviderBlock(model="unheard-of"), "there are: local/animated-1.*'Maquette loop provider'"),
        (MusicProviderBlock(provider="replicate"), "MAQUETTE_REPLICATE_API_TOKEN.*'Maquette music provider'"),
        (MusicProviderBlock(model="unheard-of"), "there are: local/songbook-1.*'Maquette music provider'"),
        (ScriptWriterBlock(provider="openai"), "MAQUETTE_OPENAI_API_KEY.*'Maquette script writer'"),
    ],
)
def test_what_is_missing_is_said_with_the_places_to_fill_it_in(
    block: ProviderBlock, field: str, plain: Settings
) -> None:
    with pytest.raises(ConfigurationError, match=field):
        _build(block, plain)


def test_empty_fields_keep_the_settings_and_the_model_goes_with_its_provider(plain: Settings) -> None:
    told = plain.model_copy(
        update={
            "clip_provider": "veo",
            "clip_model": "veo-3.1-generate-001",
            "google_location": "europe-west4",
            "replicate_api_token": SecretStr("of the settings"),
            "openai_model": "of the settings",
        }
    )
    applied = ScriptWriterBlock(provider="openai").applied(ClipProviderBlock(provider="replicate").applied(told))
    assert (applied.clip_provider, applied.clip_model) == ("replicate", None)
    assert applied.google_location == "europe-west4"
    assert applied.replicate_api_token == SecretStr("of the settings")
    assert (applied.text_provider, applied.openai_model) == ("openai", "of the settings")
    assert told.clip_provider == "veo"  # a copy
    images = ImageProviderBlock(provider="gemini", token=SecretStr("of the block")).applied(told)
    assert (images.image_provider, images.google_api_key) == ("gemini", SecretStr("of the block"))
    assert images.replicate_api_token == SecretStr("of the settings")
    assert (images.clip_provider, images.clip_model) == ("veo", "veo-3.1-generate-001")


def test_the_local_loops_and_songs_leave_the_token_of_others_alone(plain: Settings) -> None:
    told = ImageProviderBlock(provider="replicate", token=SecretStr("of the images")).applied(plain)
    for block in (LoopProviderBlock(token=SecretStr("left over")), MusicProviderBlock(token=SecretStr("left over"))):
        assert block.applied(told).replicate_api_token == SecretStr("of the images")
    both = MusicProviderBlock(provider="replicate", token=SecretStr("of the songs")).applied(told)
    assert both.replicate_api_token == SecretStr("of the songs")
    assert (both.image_provider, both.music_provider, both.loop_provider) == ("replicate", "replicate", "local")


def test_the_publisher_says_where_drafts_go_and_empty_fields_keep_the_settings(plain: Settings) -> None:
    assert PublisherBlock().applied(plain) == plain
    told = plain.model_copy(update={"bucket": "gcs", "bucket_name": "of-the-settings", "supabase_key": SecretStr("s")})
    block = PublisherBlock(
        bucket="supabase",
        production_url=SecretStr("postgresql://u:p@host/production"),
        supabase_url="https://project.example",
        bucket_public_url="https://cdn.example",
    )
    applied = block.applied(told)
    assert applied.production_url == SecretStr("postgresql://u:p@host/production")
    assert (applied.bucket, applied.bucket_name) == ("supabase", "of-the-settings")
    assert (applied.supabase_url, applied.bucket_public_url) == ("https://project.example", "https://cdn.example")
    assert applied.supabase_key == SecretStr("s")
    assert PublisherBlock(bucket_name="other").applied(told).bucket_name == "other"
    assert told.bucket == "gcs"  # a copy


@pytest.mark.parametrize(
    ("kind", "provider", "setting"),
    [
        (ClipProviderBlock, "replicate", "replicate_base_url"),
        (ClipProviderBlock, "veo", "google_base_url"),
        (ImageProviderBlock, "replicate", "replicate_base_url"),
        (ImageProviderBlock, "gemini", "google_base_url"),
        (LoopProviderBlock, "replicate", "replicate_base_url"),
        (MusicProviderBlock, "replicate", "replicate_base_url"),
    ],
)
def test_an_address_goes_to_the_provider_that_was_chosen(
    kind: type[ClipProviderBlock | ImageProviderBlock | LoopProviderBlock | MusicProviderBlock],
    provider: str,
    setting: str,
    plain: Settings,
) -> None:
    block = kind.model_validate({"provider": provider, "base_url": "http://127.0.0.1:9"})
    applied = block.applied(plain)
    addresses = {name: getattr(applied, name) for name in ("replicate_base_url", "google_base_url")}
    assert {name for name, value in addresses.items() if value} == {setting}


def test_an_unknown_provider_is_refused() -> None:
    with pytest.raises(ValidationError, match="'local', 'replicate' or 'veo'"):
        ClipProviderBlock.model_validate({"provider": "sora"})
    with pytest.raises(ValidationError, match="'local', 'replicate' or 'gemini'"):
        ImageProviderBlock.model_validate({"provider": "midjourney"})
    for kind in (LoopProviderBlock, MusicProviderBlock):
        with pytest.raises(ValidationError, match="'local' or 'replicate'"):
            kind.model_validate({"provider": "suno"})
    with pytest.raises(ValidationError, match="'folder', 'gcs' or 'supabase'"):
        PublisherBlock.model_validate({"bucket": "ftp"})


def test_secrets_do_not_show() -> None:
    blocks: list[ProviderBlock | PublisherBlock] = [
        ClipProviderBlock(provider="replicate", token=SecretStr(SECRET)),
        ImageProviderBlock(provider="gemini", token=SecretStr(SECRET)),
        LoopProviderBlock(provider="replicate", token=SecretStr(SECRET)),
        MusicProviderBlock(provider="replicate", token=SecretStr(SECRET)),
        ScriptWriterBlock(provider="openai", api_key=SecretStr(SECRET)),
        PublisherBlock(production_url=SecretStr(SECRET), supabase_key=SecretStr(SECRET)),
    ]
    for block in blocks:
        shown = [
            repr(block),
            str(block),
            f"{block.model_dump()}",
            block.model_dump_json(),
            f"{block.applied(Settings())}",
        ]
        assert not [text for text in shown if SECRET in text]
        schema = type(block).model_json_schema()
        assert schema["secret_fields"], "Prefect would keep and show it in the clear"


@pytest.mark.parametrize("kind", BLOCKS)
def test_every_field_says_what_it_is(kind: type[Block]) -> None:
    assert kind.get_description()
    for name, field in kind.model_fields.items():
        assert field.title and field.description, name
