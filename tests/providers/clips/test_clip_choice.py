"""The choice of a provider by the settings."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr

from maquette.errors import ConfigurationError
from maquette.providers.catalogue import catalogue
from maquette.providers.clips import clips_from_settings, prune
from maquette.settings import Settings
from tests.providers.clip_contract import a_request


def test_by_default_clips_are_local_below_the_home(tmp_path: Path) -> None:
    provider = clips_from_settings(Settings(home=tmp_path, local_price_micros_per_s=250))
    assert provider.profile.local
    assert provider.profile.price_micros_per_s == 250
    provider.submit(a_request(), reference="a/1")
    assert (tmp_path / "provider-local" / "submissions.jsonl").exists()


def test_what_the_local_provider_keeps_is_given_up_by_its_age(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    provider = clips_from_settings(settings)
    provider.submit(a_request(), reference="a/1")
    moment = datetime.now(UTC)
    assert prune(settings, moment - timedelta(days=1)) == 0
    assert provider.find("a/1") is not None
    assert prune(settings, moment + timedelta(days=1)) == 1
    assert provider.find("a/1") is None


@pytest.mark.parametrize(
    ("settings", "variable"),
    [
        ({"clip_provider": "replicate"}, "MAQUETTE_REPLICATE_API_TOKEN"),
        ({"clip_provider": "veo"}, "MAQUETTE_GOOGLE_PROJECT"),
    ],
)
def test_what_is_missing_is_named(tmp_path: Path, settings: dict[str, str], variable: str) -> None:
    with pytest.raises(ConfigurationError, match=variable):
        clips_from_settings(Settings.model_validate({"home": tmp_path, **settings}))


def test_an_unknown_provider_or_model_names_those_there_are(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"local/drawn-1.*veo/veo-3\.1-generate-001"):
        clips_from_settings(Settings(home=tmp_path, clip_provider="sora"))
    with pytest.raises(ConfigurationError, match="replicate/google/veo"):
        clips_from_settings(Settings(home=tmp_path, clip_provider="replicate", clip_model="o/m"))


def test_replicate_is_built_with_its_token(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, clip_provider="replicate", replicate_api_token=SecretStr("r8_x"))
    assert clips_from_settings(settings).profile.provider == "replicate"


def test_every_row_of_clips_can_be_asked_for_something_and_says_where_its_price_is_from() -> None:
    rows = [row for row in catalogue() if row.kind == "clips"]
    assert {row.provider for row in rows} == {"local", "replicate", "veo"}
    for row in rows:
        assert row.seconds
        assert row.aspect_ratios
        assert row.resolutions
        assert row.local or row.price_micros_per_s > 0
