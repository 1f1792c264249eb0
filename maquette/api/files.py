"""Files as answers: byte ranges, validators and names that a person would give (RFC 9110, 13 and 14)."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query
from starlette.datastructures import Headers
from starlette.responses import FileResponse, Response
from starlette.types import Receive, Scope, Send

from maquette.api.errors import answer, error_responses
from maquette.api.texts import language_of, say, weight_of

Download = Annotated[
    bool, Query(description="1 asks browsers to keep the file instead of showing it.", examples=[True])
]

MAX_RANGES: Final = 20
_RANGE = re.compile(r"(\d{0,18})-(\d{0,18})", re.ASCII)


def get_and_head(
    router: APIRouter, path: str, *, summary: str, responses: dict[int | str, dict[str, Any]]
) -> Callable[[Any], Any]:
    """Let a function of ``router`` answer GET and HEAD with a file."""

    def register(endpoint: Any) -> Any:
        router.head(path, include_in_schema=False)(endpoint)
        return router.get(path, summary=summary, response_class=Response, responses=responses)(endpoint)

    return register


def binary(*media_types: str, errors: dict[int | str, dict[str, Any]] | None = None) -> dict[int | str, dict[str, Any]]:
    """What OpenAPI says of a call that gives a file; ``errors`` of those below ``/api/`` are their own."""
    content = {media_type: {"schema": {"type": "string", "format": "binary"}} for media_type in media_types}
    documented = dict(errors or error_responses(404, 416))
    documented[200] = {"description": "The whole file; its ETag is the sha256 of its content.", "content": content}
    documented[206] = {"description": "The byte ranges that were asked for.", "content": content}
    documented[304] = {"description": "The client's copy is the present one (If-None-Match)."}
    return documented


def ranges_of(header: str, size_bytes: int) -> list[tuple[int, int]] | None:
    """The parts of a file that a ``Range`` header asks for, as first and last byte.

    ``None`` where the header is to be ignored: another unit, a wrong form, too many parts. Empty where no
    part lies inside the file, which is then answered with 416.
    """
    unit, _, wanted = header.partition("=")
    parts = [part.strip() for part in wanted.split(",") if part.strip()]
    if unit.strip().lower() != "bytes" or not 0 < len(parts) <= MAX_RANGES:
        return None
    found = []
    for part in parts:
        match = _RANGE.fullmatch(part)
        if match is None or part == "-":
            return None
        first, last = match.groups()
        if not first:
            start, end = max(0, size_bytes - int(last)), size_bytes - 1
        else:
            start, end = int(first), min(int(last or size_bytes), size_bytes - 1)
            if last and int(last) < start:
                return None
        if start < size_bytes and start <= end:
            found.append((start, end))
    return found


def prefers_video(accept: str) -> bool:
    """Does this ``Accept`` header like video/mp4 better than application/json? ``*/*`` alone does not."""
    return _quality(accept, "video/mp4") > _quality(accept, "application/json")


def file_name(title: str, *, fallback: str, suffix: str) -> str:
    """A file's name made of a title's words: ``Les risques du sucre !`` → ``Les-risques-du-sucre.mp4``."""
    words = re.sub(r"[\W_]+", "-", title).strip("-")[:60].strip("-")
    return f"{words or fallback}{suffix}"


class StoredFileResponse(FileResponse):
    """A stored file. Its ETag is the sha256 of its content, so that a range of another film is never mixed in.

    GET and HEAD; 206 for ranges, 416 for ranges outside of the file, 304 for ``If-None-Match``; ranges
    are given only while ``If-Range`` (an ETag or a date) still matches, and never to HEAD.
    """

    def __init__(self, path: Path, *, media_type: str, sha256: str, name: str, download: bool = False) -> None:
        super().__init__(
            path,
            media_type=media_type,
            filename=name,
            stat_result=path.stat(),
            content_disposition_type="attachment" if download else "inline",
            # The address stays when a block is edited: a cache has to ask.
            headers={"etag": f'"{sha256}"', "cache-control": "private, no-cache"},
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope)
        etag, size_bytes = self.headers["etag"], int(self.headers["content-length"])
        known = [tag.strip().removeprefix("W/") for tag in headers.get("if-none-match", "").split(",")]
        if etag in known or known == ["*"]:
            kept = {name: self.headers[name] for name in ("etag", "cache-control", "last-modified")}
            await Response(status_code=304, headers=kept)(scope, receive, send)
            return
        wanted = headers.get("range")
        current = headers.get("if-range") in (None, etag, self.headers["last-modified"])
        ranges = ranges_of(wanted, size_bytes) if wanted and current and scope["method"] == "GET" else None
        if ranges == []:
            outside = answer(
                scope,
                416,
                detail=say("range_not_satisfiable", language_of(headers.get("accept-language")), size=size_bytes),
                code="range_not_satisfiable",
                headers={"Content-Range": f"bytes */{size_bytes}", "Accept-Ranges": "bytes"},
            )
            await outside(scope, receive, send)
            return
        # The base class answers well-formed ranges; it shall see no other.
        rest = [(name, value) for name, value in scope["headers"] if name not in (b"range", b"if-range")]
        if ranges:
            rest.append((b"range", ("bytes=" + ",".join(f"{first}-{last}" for first, last in ranges)).encode()))
        await super().__call__({**scope, "headers": rest}, receive, send)


def _quality(accept: str, media_type: str) -> float:
    # The most exact entry decides, whatever its weight.
    patterns = (media_type, media_type.split("/")[0] + "/*", "*/*")
    weights = {}
    for entry in accept.split(","):
        pattern, _, parameters = entry.partition(";")
        weights[pattern.strip().lower()] = weight_of(parameters)
    return next((weights[pattern] for pattern in patterns if pattern in weights), 0.0)
