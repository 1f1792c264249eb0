"""The choice of a provider by the settings, and what the local one leaves behind."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr

from maquette.errors import ConfigurationError
from maquette.providers.catalogue import catalogue
from maquette.providers.music import music_from_settings, prune
from maquette.settings import Settings
from tests.providers.music_contract import a_request, finished


def test_by_default_songs_are_local_below_the_home(tmp_path: Path) -> None:
    provider = music_from_settings(Settings(home=tmp_path, local_price_micros_per_song=250))
    assert provider.profile.local
    assert provider.profile.price_micros_per_song == 250
    provider.submit(a_request(), reference="a/1")
    assert (tmp_path / "provider-local-music" / "submissions.jsonl").exists()


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="MAQUETTE_REPLICATE_API_TOKEN"):
        music_from_settings(Settings(home=tmp_path, music_provider="replicate"))


def test_an_unknown_provider_or_model_names_those_there_are(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"local/songbook-1, replicate/minimax/music-1\.5"):
        music_from_settings(Settings(home=tmp_path, music_provider="suno"))
    with pytest.raises(ConfigurationError, match=r"replicate/minimax/music-1\.5"):
        music_from_settings(Settings(home=tmp_path, music_provider="replicate", music_model="o/m"))


def test_the_real_provider_is_built_with_its_key(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, music_provider="replicate", replicate_api_token=SecretStr("r8_x"))
    assert music_from_settings(settings).profile.model == "minimax/music-1.5"


def test_every_row_of_music_says_what_a_song_costs() -> None:
    rows = [row for row in catalogue() if row.kind == "music"]
    assert {row.provider for row in rows} == {"local", "replicate"}
    for row in rows:
        assert row.local or row.price_micros_per_song > 0
        assert row.local or (row.lyrics_characters and row.prompt_characters)


def test_old_calls_are_removed_and_new_ones_stay(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, local_instant=True)
    assert prune(settings, datetime.now(UTC)) == 0
    provider = music_from_settings(settings)
    finished(provider, a_request())
    assert prune(settings, datetime.now(UTC) - timedelta(days=1)) == 0
    assert provider.find("order-1/call-1") is not None
    assert prune(settings, datetime.now(UTC) + timedelta(seconds=1)) == 1
    assert provider.find("order-1/call-1") is None
    assert not list((tmp_path / "provider-local-music" / "operations").iterdir())
