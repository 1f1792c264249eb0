"""The choice of a provider by the settings, what it leaves behind, and how words become motion."""

import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr

from maquette.errors import ConfigurationError
from maquette.providers.catalogue import catalogue
from maquette.providers.clips.local import lexicon, paint
from maquette.providers.loops import loops_from_settings, prune
from maquette.providers.loops.local import motion
from maquette.settings import Settings
from tests.providers.loop_contract import a_file, a_request, finished


def test_by_default_loops_are_local_below_the_home(tmp_path: Path) -> None:
    provider = loops_from_settings(Settings(home=tmp_path, local_price_micros_per_loop=250))
    assert provider.profile.local
    assert provider.profile.price_micros_per_loop == 250
    provider.submit(a_request(), reference="a/1", image=a_file(tmp_path))
    assert (tmp_path / "provider-local-loops" / "submissions.jsonl").exists()


def test_the_settings_choose_the_faults(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, local_instant=True, local_loop_faults={2: ["stall"]}, local_stall_s=3600)
    provider = loops_from_settings(settings)
    held = provider.submit(a_request(number=2), reference="a/1", image=a_file(tmp_path))
    assert provider.poll(held).progress < 1
    finished(provider, provider.submit(a_request(number=1), reference="b/1", image=a_file(tmp_path)))


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="MAQUETTE_REPLICATE_API_TOKEN"):
        loops_from_settings(Settings(home=tmp_path, loop_provider="replicate"))
    with pytest.raises(ConfigurationError, match=r"local/animated-1.*wan-video/wan-2\.2-i2v-fast"):
        loops_from_settings(Settings(home=tmp_path, loop_provider="veo"))


def test_the_real_provider_is_built_with_its_key(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, loop_provider="replicate", replicate_api_token=SecretStr("r8_x"))
    assert loops_from_settings(settings).profile.model == "wan-video/wan-2.2-i2v-fast"


def test_every_row_of_loops_says_where_its_price_is_from() -> None:
    rows = [row for row in catalogue() if row.kind == "loops"]
    assert {row.provider for row in rows} == {"local", "replicate"}
    for row in rows:
        assert row.source
        assert row.local or (row.reference_input and row.price_micros_per_loop > 0)


def test_old_calls_are_removed_and_new_ones_stay(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, local_instant=True)
    assert prune(settings, datetime.now(UTC)) == 0
    provider = loops_from_settings(settings)
    finished(provider, provider.submit(a_request(), reference="a/1", image=a_file(tmp_path)))
    assert prune(settings, datetime.now(UTC) - timedelta(days=1)) == 0
    assert provider.find("a/1") is not None
    assert prune(settings, datetime.now(UTC) + timedelta(seconds=1)) == 1
    assert provider.find("a/1") is None


def test_a_process_that_never_draws_loads_nothing_heavy() -> None:
    program = (
        "import sys; from maquette.providers.loops.local import LocalLoops; from maquette.providers.loops import prune;"
        "print([name for name in ('numpy', 'PIL', 'av', 'replicate') if name in sys.modules])"
    )
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert said.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("prompt", "gait", "drifts"),
    [
        ("Animated monkey moving through a magical jungle with swaying trees", "walk", ["sparkles", "leaves"]),
        ("Animated dolphin swimming through ocean waters with bubbles and sparkles", "swim", ["bubbles", "sparkles"]),
        ("Une fusée flotte dans l'espace", "float", ["stars"]),
        ("Une pelleteuse travaille sur le chantier", "work", ["dust"]),
        ("Une danseuse saute dans la neige", "hop", ["snow"]),
        ("Animated bulldozer operating on a busy construction site with dust", "work", ["dust"]),
        ("Un oiseau vole dans la forêt", "fly", ["leaves"]),
        ("A car drives along the road", "drive", []),
        ("Wxyz qwrt", "breathe", []),
    ],
)
def test_words_choose_gait_and_air(prompt: str, gait: str, drifts: list[str]) -> None:
    plan, data = motion.plan(prompt, seconds=5), motion._data()
    assert plan.gait == data.gaits[gait]
    assert list(plan.drifts) == [data.drifts[name] for name in drifts]


def test_words_choose_camera_light_and_pace() -> None:
    assert motion.plan("slow zoom in on a whale", seconds=5).camera == "push"
    assert motion.plan("La caméra recule", seconds=5).camera == "pull"
    assert motion.plan("a glowing diamond", seconds=5).sweep
    quick, calm = (motion.plan(f"a bee {how} dances", seconds=5) for how in ("happily", "slowly"))
    assert quick.beats == 2 * calm.beats
    assert motion.plan("a bee dances", seconds=10).beats == 2 * quick.beats
    assert motion.plan("a bee rests", seconds=0.2).beats == 1


def test_the_words_are_written_as_they_are_compared() -> None:
    data = motion._data()
    assert set(data.gait_words) == set(data.gaits)
    assert set(data.drift_words) == set(data.drifts)
    for phrases in (
        *data.gait_words.values(),
        *data.cameras.values(),
        *data.drift_words.values(),
        data.calm,
        data.sweep,
    ):
        for one in phrases.split():
            assert len(lexicon.words(one)) == 1, one
            assert not one.endswith("*") or re.fullmatch(r"[a-z]{3,}", one[:-1]), one
    for drift in data.drifts.values():
        assert all(shape in ("disc", "bubble") or paint.has_pictogram(shape) for shape in drift.shape)
