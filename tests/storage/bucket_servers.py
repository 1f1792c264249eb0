"""Real HTTP servers on loopback that speak as much of two vendors' languages as a bucket needs."""

import base64
import hashlib
import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import google_crc32c

KEY = "service_key_very_secret"


@dataclass
class Asked:
    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Told:
    """``hang_up`` closes the connection without a word."""

    status: int = 200
    body: Any = b""
    headers: dict[str, str] = field(default_factory=dict)
    hang_up: bool = False


@dataclass
class Kept:
    data: bytes
    media_type: str
    metadata: dict[str, str] = field(default_factory=dict)
    cache_control: str = ""


@dataclass
class Vendor:
    """A server's files, its next faults, and what it was asked."""

    bucket: str = "univers"
    files: dict[str, Kept] = field(default_factory=dict)
    faults: list[Told] = field(default_factory=list)
    asked: list[Asked] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)
    url: str = ""

    def answer(self, asked: Asked) -> Told:
        raise NotImplementedError

    def requests(self, method: str) -> int:
        return sum(1 for each in self.asked if each.method == method)


@contextmanager
def serving(vendor: Vendor) -> Iterator[None]:
    class Handler(BaseHTTPRequestHandler):
        def _do(self) -> None:
            parts = urlsplit(self.path)
            asked = Asked(
                self.command,
                parts.path,
                {name: values[0] for name, values in parse_qs(parts.query, keep_blank_values=True).items()},
                {name.lower(): value for name, value in self.headers.items()},
                self.rfile.read(int(self.headers.get("Content-Length") or 0)),
            )
            with vendor.lock:
                vendor.asked.append(asked)
                told = vendor.faults.pop(0) if vendor.faults else vendor.answer(asked)
            if told.hang_up:
                return
            content = told.body if isinstance(told.body, bytes) else json.dumps(told.body).encode()
            self.send_response(told.status)
            for name, value in {"Content-Type": "application/json", **told.headers}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_PUT = do_DELETE = _do  # noqa: N815 - the names that the base class looks for

        def log_message(self, format: str, *args: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        request_queue_size = 64

    server = Server(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    vendor.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class Google(Vendor):
    """Google Cloud Storage's JSON interface. Lists come in pages of two, copies take two calls."""

    sessions: dict[str, dict[str, Any]]
    corrupt = False  # bytes are changed on their way to the server

    def answer(self, asked: Asked) -> Told:
        routes: list[tuple[str, Callable[..., Told]]] = [
            (r"/upload/storage/v1/b/([^/]+)/o", self._upload),
            (r"/storage/v1/b/([^/]+)/o/([^/]+)/rewriteTo/b/[^/]+/o/([^/]+)", self._rewrite),
            (r"/(?:download/)?storage/v1/b/([^/]+)/o/([^/]+)", self._object),
            (r"/storage/v1/b/([^/]+)/o", self._list),
        ]
        for pattern, handle in routes:
            found = re.fullmatch(pattern, asked.path)
            if found:
                bucket, *names = map(unquote, found.groups())
                if bucket != self.bucket:
                    return self._error(404, "The specified bucket does not exist.")
                return handle(asked, *names)
        return self._error(400, f"no such route {asked.path}")

    @staticmethod
    def _error(code: int, message: str) -> Told:
        return Told(code, {"error": {"code": code, "message": message, "errors": [{"message": message}]}})

    def _resource(self, name: str) -> dict[str, Any]:
        kept = self.files[name]
        return {
            "kind": "storage#object", "bucket": self.bucket, "name": name, "size": str(len(kept.data)),
            "metadata": kept.metadata or None, "contentType": kept.media_type, "generation": "1",
            "cacheControl": kept.cache_control, "crc32c": self._crc(kept.data),
            "md5Hash": base64.b64encode(hashlib.md5(kept.data).digest()).decode(),
        }  # fmt: skip

    @staticmethod
    def _crc(data: bytes) -> str:
        return base64.b64encode(google_crc32c.value(data).to_bytes(4)).decode()

    def _keep(self, told: dict[str, Any], data: bytes, media_type: str, crc: str | None) -> Told:
        if self.corrupt:
            data += b"!"
        claimed = told.get("crc32c") or crc
        if claimed is not None and claimed != self._crc(data):
            return self._error(400, f"Provided CRC32C {claimed} doesn't match calculated CRC32C {self._crc(data)}.")
        self.files[told["name"]] = Kept(data, media_type, told.get("metadata") or {}, told.get("cacheControl", ""))
        return Told(200, self._resource(told["name"]))

    def _upload(self, asked: Asked) -> Told:
        if asked.method == "PUT":
            told = self.sessions[asked.query["upload_id"]]
            found = re.search(r"crc32c=([^,]+)", asked.headers.get("x-goog-hash", ""))
            return self._keep(told, asked.body, told["contentType"], found and found[1])
        if asked.query["uploadType"] == "resumable":
            self.sessions = {"s1": {"contentType": asked.headers["x-upload-content-type"], **asked.json()}}
            query = "uploadType=resumable&upload_id=s1"
            return Told(200, b"", {"Location": f"{self.url}{asked.path}?{query}"})
        boundary = asked.headers["content-type"].partition("boundary=")[2].strip('"').encode()
        _, described, content, _ = asked.body.split(b"--" + boundary)
        told = json.loads(described.split(b"\r\n\r\n", 1)[1])
        head, data = content.split(b"\r\n\r\n", 1)
        return self._keep(told, data[:-2], head.decode().lower().partition("content-type: ")[2].strip(), None)

    def _object(self, asked: Asked, name: str) -> Told:
        if name not in self.files:
            return self._error(404, f"No such object: {self.bucket}/{name}")
        if asked.method == "DELETE":
            del self.files[name]
            return Told(204)
        if asked.query.get("alt") == "media":
            data = self.files[name].data
            return Told(200, data, {"x-goog-hash": f"crc32c={self._crc(data)}", "Content-Type": "image/png"})
        return Told(200, self._resource(name))

    def _rewrite(self, asked: Asked, source: str, target: str) -> Told:
        if source not in self.files:
            return self._error(404, f"No such object: {self.bucket}/{source}")
        size = str(len(self.files[source].data))
        if "rewriteToken" not in asked.query:
            return Told(200, {"done": False, "rewriteToken": "t1", "totalBytesRewritten": "0", "objectSize": size})
        self.files[target] = self.files[source]
        resource = self._resource(target)
        return Told(200, {"done": True, "totalBytesRewritten": size, "objectSize": size, "resource": resource})

    def _list(self, asked: Asked) -> Told:
        names = sorted(name for name in self.files if name.startswith(asked.query.get("prefix", "")))
        first = int(asked.query.get("pageToken", "0"))
        page: dict[str, Any] = {
            "kind": "storage#objects",
            "items": [self._resource(n) for n in names[first : first + 2]],
        }
        if len(names) > first + 2:
            page["nextPageToken"] = str(first + 2)
        return Told(200, page)


class Supabase(Vendor):
    """Supabase Storage's REST interface: errors are HTTP 400 with the status inside, folders have no id."""

    def answer(self, asked: Asked) -> Told:
        if asked.headers.get("authorization") != f"Bearer {KEY}" or asked.headers.get("apikey") != KEY:
            return self._error(403, "Unauthorized", f"invalid signature of {asked.headers.get('authorization')}")
        path = unquote(asked.path.removeprefix("/storage/v1/object"))
        if asked.method == "POST" and path == "/copy":
            return self._copy(asked)
        verbs = {"/list/": self._list, "/authenticated/": self._read, "/": self._change}
        verb = next(verb for verb in verbs if path.startswith(verb))
        bucket, _, name = path.removeprefix(verb).partition("/")
        if bucket != self.bucket:
            return self._error(404, "Bucket not found", "Bucket not found")
        return verbs[verb](asked, name)

    @staticmethod
    def _error(status: int, error: str, message: str) -> Told:
        return Told(400, {"statusCode": str(status), "error": error, "message": message})

    def _change(self, asked: Asked, name: str) -> Told:
        if asked.method == "DELETE":
            return Told(200, [{"name": each} for each in asked.json()["prefixes"] if self.files.pop(each, None)])
        if not re.fullmatch(r"[\w/!\-.*'() &$@=;:+,?]+", name, re.ASCII):
            return self._error(400, "InvalidKey", f"Invalid key: {name}")
        if name in self.files and asked.headers.get("x-upsert") != "true":
            return self._error(409, "Duplicate", "The resource already exists")
        headers = asked.headers
        self.files[name] = Kept(asked.body, headers["content-type"], {}, headers.get("cache-control", ""))
        return Told(200, {"Id": "1", "Key": f"{self.bucket}/{name}"})

    def _read(self, asked: Asked, name: str) -> Told:
        if name not in self.files:
            return self._error(404, "not_found", "Object not found")
        return Told(200, self.files[name].data, {"Content-Type": self.files[name].media_type})

    def _copy(self, asked: Asked) -> Told:
        told = asked.json()
        if told["bucketId"] != self.bucket:
            return self._error(404, "Bucket not found", "Bucket not found")
        if told["sourceKey"] not in self.files:
            return self._error(404, "not_found", "Object not found")
        if told["destinationKey"] in self.files and asked.headers.get("x-upsert") != "true":
            return self._error(409, "Duplicate", "The resource already exists")
        self.files[told["destinationKey"]] = self.files[told["sourceKey"]]
        return Told(200, {"Key": f"{self.bucket}/{told['destinationKey']}"})

    def _list(self, asked: Asked, _: str) -> Told:
        told = asked.json()
        below = [name.removeprefix(told["prefix"]) for name in self.files if name.startswith(told["prefix"])]
        entries = {name.partition("/")[0]: None if "/" in name else f"id-{name}" for name in sorted(below)}
        listed = [{"name": name, "id": one} for name, one in sorted(entries.items())]
        return Told(200, listed[told["offset"] :][: told["limit"]])
