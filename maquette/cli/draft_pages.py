"""A draft's assets and songs, as people read them."""

from typing import Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from maquette.cli.draft_reports import HASH, AssetVersions, DraftWhole, failed_rows, what_is_there
from maquette.cli.panels import count
from maquette.drafts.models import AssetDocument, SongDocument, VersionDocument
from maquette.providers.text.port import UNIVERSE_LANGUAGES

_MISSING: Final = "not made yet"


def print_whole(shown: DraftWhole, console: Console) -> None:
    """The draft, its assets and its songs."""
    console.print(Text(shown.name, style="bold"), soft_wrap=True)
    state = "waits for an approval" if shown.require_approval and not shown.approved else shown.generation.status
    facts = f"{shown.draft_id}  (theme {shown.theme}, {what_is_there(shown)}, {state})"
    console.print(Text(facts, style="dim"), soft_wrap=True)
    console.print(Text(str(shown.path), style="dim"), soft_wrap=True)
    console.print(Text(f"content {shown.content_hash}", style="dim"), soft_wrap=True)
    for asset in shown.assets:
        console.print()
        print_asset(asset, console)
    if shown.songs:
        console.print()
    for song in shown.songs:
        _print_song(song, console)
    if not shown.assets:
        console.print(f"\nNo assets yet: `maquette draft generate {shown.draft_id}` makes them.")
    for name, reason in failed_rows(shown.generation.failures):
        console.print(Text(f"{name} {reason}", style="yellow"), soft_wrap=True)


def print_asset(asset: AssetDocument, console: Console) -> None:
    """An asset: what it is called, its files with their hashes, and the prompts that they were made from."""
    head = Text.assemble((f"{asset.id}  ", "cyan"), (asset.display_name, "bold"))
    if asset.version > 1:
        head.append(f"  (version {asset.version})", style="dim")
    console.print(head, soft_wrap=True)
    _print_part("image", asset.image_file, asset.image_sha256, asset.image_prompt, console)
    _print_part("video", asset.video_file, asset.video_sha256, asset.video_prompt, console)
    names = ", ".join(f"{each} {asset.titles[each]}" for each in UNIVERSE_LANGUAGES if each in asset.titles)
    if names:
        _print_line("names", Text(names), console)


def print_versions(shown: AssetVersions, console: Console) -> None:
    """Each version with its files and prompts, the present one first."""
    since = f", since {shown.generated_at.astimezone():%Y-%m-%d %H:%M}" if shown.generated_at else ""
    _print_version(shown, f"now{since}", console)
    for each in shown.versions:
        console.print()
        _print_version(each, f"until {each.created_at.astimezone():%Y-%m-%d %H:%M}", console)
    if shown.versions:
        restore = f"maquette draft restore {shown.draft_id} {shown.id} {shown.versions[0].version}"
        console.print(Text(f"\nback to it: {restore}", style="dim"), soft_wrap=True)


def _print_version(shown: AssetVersions | VersionDocument, when: str, console: Console) -> None:
    head = Text.assemble((f"version {shown.version}  ", "cyan"), (shown.display_name, "bold"), (f"  {when}", "dim"))
    console.print(head, soft_wrap=True)
    _print_part("image", shown.image_file, shown.image_sha256, shown.image_prompt, console)
    _print_part("video", shown.video_file, shown.video_sha256, shown.video_prompt, console)


def _print_part(name: str, file: str | None, sha256: str | None, prompt: str | None, console: Console) -> None:
    line = Text.assemble(file, (f"  {sha256[:HASH]}", "dim")) if file and sha256 else Text(_MISSING, style="yellow")
    _print_line(name, line, console)
    if prompt:
        _print_line("", Text(prompt), console)


def _print_song(song: SongDocument, console: Console) -> None:
    line = Text.assemble((f"{song.language}  ", "cyan"))
    if song.audio_file and song.audio_sha256:
        line.append_text(Text.assemble(song.audio_file, (f"  {song.audio_sha256[:HASH]}", "dim")))
    else:
        line.append(_MISSING, style="yellow")
    if song.lyrics:
        verses = sum(bool(each.strip()) and not each.lstrip().startswith("[") for each in song.lyrics.splitlines())
        line.append(f"  {count(verses, 'line')}", style="dim")
    console.print(line, soft_wrap=True)


def _print_line(name: str, text: Text, console: Console) -> None:
    grid = Table.grid(padding=(0, 1, 0, 0))
    grid.add_column(width=9)
    grid.add_column(overflow="fold")  # a hanging indent: names and texts stay apart
    grid.add_row(Text(f"    {name}", style="dim"), text)
    # A pipe has no width, and what reads it wants whole texts.
    if not console.is_terminal:
        console.width = 10_000
    console.print(grid)
