"""The choice of a provider by the settings, and what the providers leave behind."""

import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr

from maquette.errors import ConfigurationError
from maquette.providers.catalogue import catalogue
from maquette.providers.images import images_from_settings, prune
from maquette.providers.images.spool import Record, Spool
from maquette.settings import Settings
from tests.providers.image_contract import a_request, finished


def test_by_default_images_are_local_below_the_home(tmp_path: Path) -> None:
    provider = images_from_settings(Settings(home=tmp_path, local_price_micros_per_image=250))
    assert provider.profile.local
    assert provider.profile.price_micros_per_image == 250
    provider.submit(a_request(), reference="a/1", files=[])
    assert (tmp_path / "provider-local-images" / "submissions.jsonl").exists()


@pytest.mark.parametrize(
    ("settings", "variable"),
    [
        ({"image_provider": "replicate"}, "MAQUETTE_REPLICATE_API_TOKEN"),
        ({"image_provider": "gemini"}, "MAQUETTE_GOOGLE_API_KEY"),
    ],
)
def test_what_is_missing_is_named(tmp_path: Path, settings: dict[str, str], variable: str) -> None:
    with pytest.raises(ConfigurationError, match=variable):
        images_from_settings(Settings.model_validate({"home": tmp_path, **settings}))


def test_a_missing_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "maquette.providers.images.gemini", raising=False)
    monkeypatch.setitem(sys.modules, "google.genai", None)
    monkeypatch.delitem(sys.modules, "maquette.providers.vertex", raising=False)
    with pytest.raises(ConfigurationError, match=r"pip install 'maquette\[google\]'"):
        images_from_settings(Settings(home=tmp_path, image_provider="gemini", google_api_key=SecretStr("k")))


def test_an_unknown_provider_or_model_names_those_there_are(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"local/painted-1.*gemini/gemini-3-pro-image"):
        images_from_settings(Settings(home=tmp_path, image_provider="midjourney"))
    with pytest.raises(ConfigurationError, match="replicate/google/nano-banana"):
        images_from_settings(Settings(home=tmp_path, image_provider="replicate", image_model="o/m"))


def test_the_real_providers_are_built_with_their_keys(tmp_path: Path) -> None:
    replicate = Settings(home=tmp_path, image_provider="replicate", replicate_api_token=SecretStr("r8_x"))
    assert images_from_settings(replicate).profile.provider == "replicate"
    gemini = Settings(home=tmp_path, image_provider="gemini", google_api_key=SecretStr("k"))
    assert images_from_settings(gemini).profile.provider == "gemini"


def test_every_row_of_images_makes_every_ratio_and_says_where_its_price_is_from() -> None:
    rows = [row for row in catalogue() if row.kind == "images"]
    assert {row.provider for row in rows} == {"local", "replicate", "gemini"}
    for row in rows:
        assert set(row.aspect_ratios) == {"1:1", "4:5", "9:16", "16:9", "2:3", "yt-thumb"}
        assert row.local or row.price_micros_per_image > 0
        assert row.local or row.provider == "gemini" or bool(row.max_references) == bool(row.reference_input)


def test_old_calls_are_removed_and_new_ones_stay(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, local_instant=True)
    assert prune(settings, datetime.now(UTC)) == 0
    provider = images_from_settings(settings)
    finished(provider, a_request())
    spool = Spool(tmp_path / "provider-gemini")
    now = datetime.now(UTC)
    kept = spool.finish(Record(at=now, reference="a/1", outcome="picture"), b"a picture")
    assert prune(settings, now - timedelta(days=1)) == 0
    assert provider.find("order-1/call-1") is not None
    assert spool.record(kept) is not None
    assert prune(settings, datetime.now(UTC) + timedelta(seconds=1)) == 2
    assert provider.find("order-1/call-1") is None
    assert spool.record(kept) is None
    assert not list((tmp_path / "provider-local-images" / "operations").iterdir())
    assert [path.name for path in spool.root.iterdir()] == ["complete.json"]
