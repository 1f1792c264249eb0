"""Files over HTTP: ranges, validators, names, and what ``/stream`` answers to whom."""

import hashlib
from typing import NamedTuple

import httpx
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from maquette.api.files import MAX_RANGES, file_name, prefers_video, ranges_of
from tests.api.rig import FILM, Rig

SHARED = hypothesis_settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=40
)


class Film(NamedTuple):
    """A finished video and a client of it."""

    client: httpx.Client
    id: str

    def get(self, path: str = "film", **headers: str) -> httpx.Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.client.get(f"/videos/{self.id}/{path}", headers=named)


@pytest.fixture(scope="module")
def film(shared: httpx.Client, shared_rig: Rig) -> Film:
    return Film(shared, shared_rig.finished("Les risques du sucre : un été d'abus !"))


def test_the_whole_film(film: Film) -> None:
    answer = film.get()
    assert answer.status_code == 200
    assert answer.content == FILM
    assert answer.headers["etag"] == f'"{hashlib.sha256(FILM).hexdigest()}"'
    assert answer.headers["content-type"] == "video/mp4"
    assert answer.headers["accept-ranges"] == "bytes"
    assert answer.headers["content-disposition"].startswith("inline; filename*=utf-8''Les-risques-du-sucre-un-%C3%A9t")
    head = film.client.head(f"/videos/{film.id}/film", headers={"range": "bytes=0-9"})
    assert (head.status_code, head.content, head.headers["content-length"]) == (200, b"", str(len(FILM)))


def test_a_download_is_an_attachment(film: Film) -> None:
    link = film.get("download").json()
    assert link["video_id"] == film.id
    answer = film.client.get(link["download_url"])
    assert answer.content == FILM
    assert answer.headers["content-disposition"].startswith("attachment;")


@pytest.mark.parametrize(
    ("path", "content", "media_type"),
    [
        ("poster", b"poster", "image/jpeg"),
        ("contact-sheet", b"sheet", "image/png"),
        ("preview", b"preview", "video/mp4"),
        ("script", b'{"blocks": []}', "application/json"),
        ("blocks/1/clip", b"clip 1", "video/mp4"),
        ("blocks/2/clip", b"clip 2", "video/mp4"),
    ],
)
def test_the_other_files(film: Film, path: str, content: bytes, media_type: str) -> None:
    answer = film.get(path)
    assert (answer.status_code, answer.content, answer.headers["content-type"]) == (200, content, media_type)
    assert film.client.head(f"/videos/{film.id}/{path}").headers["content-length"] == str(len(content))
    assert film.get(path, range="bytes=-2").content == content[-2:]


@SHARED
@given(st.integers(0, len(FILM) + 10), st.integers(0, len(FILM) + 10) | st.none())
def test_a_range_is_that_slice(film: Film, first: int, last: int | None) -> None:
    answer = film.get(range=f"bytes={first}-{'' if last is None else last}")
    if last is not None and last < first:
        assert (answer.status_code, answer.content) == (200, FILM)
    elif first >= len(FILM):
        assert answer.status_code == 416
        assert answer.headers["content-range"] == f"bytes */{len(FILM)}"
        assert answer.json()["code"] == "range_not_satisfiable"
    else:
        expected = FILM[first : None if last is None else last + 1]
        assert (answer.status_code, answer.content) == (206, expected)
        assert answer.headers["content-range"] == f"bytes {first}-{first + len(expected) - 1}/{len(FILM)}"


@pytest.mark.parametrize("length", [1, 1000, len(FILM), len(FILM) + 1])
def test_a_suffix_is_the_end(film: Film, length: int) -> None:
    answer = film.get(range=f"bytes=-{length}")
    assert (answer.status_code, answer.content) == (206, FILM[-length:])


@pytest.mark.parametrize("wanted", ["bytes=-0", f"bytes={len(FILM)}-", f"bytes={len(FILM)}-,-0"])
def test_a_range_outside_the_file(film: Film, wanted: str) -> None:
    answer = film.get(range=wanted, accept_language="en")
    assert answer.status_code == 416
    assert answer.json() == {
        "detail": f"The requested range is outside the file ({len(FILM)} bytes)",
        "code": "range_not_satisfiable",
    }


@SHARED
@given(
    st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=30).map(str.strip)
    | st.builds("bytes={}".format, st.text("0123456789-, ", max_size=30).map(str.strip))
)
def test_no_range_header_breaks_anything(film: Film, wanted: str) -> None:
    answer = film.get("poster", range=wanted)
    assert answer.status_code in (200, 206, 416)
    if answer.status_code == 200:
        assert answer.content == b"poster"


@given(
    st.lists(
        st.tuples(st.none() | st.integers(0, 14), st.none() | st.integers(0, 14)).filter(
            lambda pair: pair != (None, None)
        ),
        min_size=1,
        max_size=5,
    ),
    st.integers(0, 12),
)
def test_ranges_cover_the_bytes_that_were_asked_for(asked: list[tuple[int | None, int | None]], size: int) -> None:
    """Against the plain reading of the rule: which bytes of a small file does each part name?"""
    header = "bytes=" + ",".join(f"{'' if a is None else a}-{'' if b is None else b}" for a, b in asked)
    found = ranges_of(header, size)
    if any(a is not None and b is not None and b < a for a, b in asked):
        assert found is None
        return
    content = range(size)
    expected = []
    for a, b in asked:
        last = None if b is None else b + 1
        expected.append(set(content[a:last] if a is not None else content[max(0, size - (b or 0)) :]))
    assert found is not None
    assert [set(range(first, last + 1)) for first, last in found] == [part for part in expected if part]


def test_many_ranges_are_not_served_one_by_one() -> None:
    assert ranges_of("bytes=" + ",".join(["0-1"] * MAX_RANGES), 10) is not None
    assert ranges_of("bytes=" + ",".join(["0-1"] * (MAX_RANGES + 1)), 10) is None
    assert ranges_of(f"bytes={'9' * 5000}-", 10) is None


def test_two_ranges_come_as_parts(film: Film) -> None:
    answer = film.get(range=f"bytes=0-3,100-103,{len(FILM)}-")
    assert answer.status_code == 206
    assert answer.headers["content-type"].startswith("multipart/byteranges; boundary=")
    assert f"content-range: bytes 100-103/{len(FILM)}".encode() in answer.content.lower()
    assert FILM[100:104] in answer.content


def test_a_range_of_another_film_is_not_mixed_in(film: Film) -> None:
    whole = film.get()
    for validator in (whole.headers["etag"], whole.headers["last-modified"]):
        assert film.get(range="bytes=0-9", if_range=validator).status_code == 206
    stale = film.get(range="bytes=0-9", if_range='"another"')
    assert (stale.status_code, stale.content) == (200, FILM)
    outside = film.get(range=f"bytes={len(FILM)}-", if_range='"another"')
    assert outside.status_code == 200


def test_a_known_file_is_not_sent_again(film: Film) -> None:
    etag = film.get("poster").headers["etag"]
    for known in (etag, f'"other", W/{etag}', "*"):
        answer = film.get("poster", if_none_match=known)
        assert (answer.status_code, answer.content, answer.headers["etag"]) == (304, b"", etag)
    assert film.get("poster", if_none_match='"other"').status_code == 200


@pytest.mark.parametrize(
    ("headers", "query", "plays"),
    [
        ({"accept": "application/json, text/plain, */*"}, "", False),
        ({"accept": "*/*"}, "", False),
        ({"accept": "*/*", "range": "bytes=0-"}, "", True),
        ({"accept": "video/webm,video/ogg,video/*;q=0.9,audio/*;q=0.6,*/*;q=0.5"}, "", True),
        ({"accept": "*/*"}, "?raw=1", True),
    ],
)
def test_stream_gives_players_the_film_and_clients_its_address(
    film: Film, headers: dict[str, str], query: str, plays: bool
) -> None:
    answer = film.client.get(f"/videos/{film.id}/stream{query}", headers=headers)
    assert "Accept" in answer.headers["vary"]
    if plays:
        assert answer.status_code == (206 if "range" in headers else 200)
        assert answer.content == FILM
    else:
        assert answer.json() == {"video_id": film.id, "stream_url": f"{film.client.base_url}/videos/{film.id}/film"}
        assert film.client.get(answer.json()["stream_url"]).content == FILM


@pytest.mark.parametrize(
    ("accept", "video"),
    [
        ("", False),
        ("video/mp4", True),
        ("video/*", True),
        ("application/json", False),
        ("video/mp4;q=0.5, application/json", False),
        ("video/mp4, application/json;q=0.5", True),
        ("video/mp4;q=0, */*", False),
        ("application/*;q=0.2, */*;q=0.8", True),
    ],
)
def test_what_an_accept_header_prefers(accept: str, video: bool) -> None:
    assert prefers_video(accept) is video


@pytest.mark.parametrize("path", ["film", "stream", "download", "poster", "contact-sheet", "preview", "script"])
def test_a_file_that_is_not_there_yet(shared: httpx.Client, shared_rig: Rig, path: str) -> None:
    video_id = shared_rig.order("Le sel")
    answer = shared.get(f"/videos/{video_id}/{path}")
    assert answer.status_code == 404
    assert answer.json() == {"detail": "La vidéo n'est pas encore terminée", "code": "video_not_ready"}


@given(st.text(max_size=600))
def test_a_file_name_is_one_plain_name(title: str) -> None:
    name = file_name(title, fallback="video_1", suffix=".mp4")
    assert name.removesuffix(".mp4").replace("-", "").isalnum() or name == "video_1.mp4"
    assert len(name.encode()) <= 255
