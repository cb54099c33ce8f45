"""Registries for tests: Debian's docker-registry, and one in memory that can be told to fail in every known way.

``FaultRegistry`` takes ``Fault`` rules; a request that matches one is answered, cut, or held as the rule says, any
other as a registry should. Nothing here waits by the clock: a held request waits for ``Fault.resume``.
"""

import re
import shutil
import socket
import ssl
import struct
import subprocess
import threading
from collections.abc import Callable, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from gitkit.core.remote import BlobReader
from gitkit.registry.client import Registry
from gitkit.registry.credentials import Credential, Given
from gitkit.registry.messages import TransportOptions
from gitkit.registry.retry import RetryPolicy
from tests.lib.registry_server import Access, Answer, Call, Contents, MemoryRegistry, digest_of

REPOSITORY = "acme/llm"
USER, PASSWORD = "alice", "s3cret"
# htpasswd -nbB -C 4 alice s3cret: the lowest cost, since docker-registry checks it at every request.
_HTPASSWD = "alice:$2y$04$M9iLyKaoo8pNRwWfw9wc8u576ev.dko.P5CmRgF.8qilFXZrxo3IO\n"
_LISTENING = re.compile(r"listening on (127\.0\.0\.1:\d+)")
_BLOCK = 64 * 1024


def connect(
    host: str,
    *,
    login: Credential | None = None,
    waits: list[float] | None = None,
    scheme: str = "http",
    options: TransportOptions | None = None,
) -> Registry:
    """The repository ``REPOSITORY`` at ``host``. Never sleeps: the seconds it would have slept go to ``waits``."""
    retry = RetryPolicy(sleep=(waits if waits is not None else []).append, jitter=lambda: 1.0)
    options = replace(options or TransportOptions(stall_timeout_s=20), retry=retry)
    credentials = Given(login) if login is not None else None
    return Registry(host, REPOSITORY, scheme=scheme, credentials=credentials, options=options)


def read_all(reader: BlobReader, limit: int | None = None) -> bytes:
    """What is left in ``reader``, or its first ``limit`` bytes, in pieces of up to 64 KiB; closes it."""
    data = bytearray()
    with closing(reader):
        while limit is None or len(data) < limit:
            block = bytearray(_BLOCK if limit is None else min(_BLOCK, limit - len(data)))
            count = reader.readinto(memoryview(block))
            if count == 0:
                break
            data += block[:count]
    return bytes(data)


class RealRegistry:
    """docker-registry on a free loopback port, its storage and log in ``folder``. ``host`` is ``127.0.0.1:PORT``."""

    def __init__(self, folder: Path, *, login: bool = False, program: str = "docker-registry") -> None:
        self._folder = folder
        self._login = login
        self._program = program
        self._log = folder / "log"

    def __enter__(self) -> Self:
        self._folder.mkdir(parents=True, exist_ok=True)
        with open(self._log, "wb") as log:
            self._process = subprocess.Popen(
                [shutil.which(self._program) or self._program, "serve", str(self._configuration())],
                env={"OTEL_TRACES_EXPORTER": "none"},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        self.host = self._wait_until_listening()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._process.terminate()
        self._process.wait(timeout=30)

    def _wait_until_listening(self) -> str:
        """The address that the log names once the socket takes connections: port 0 leaves the choice to the kernel."""
        for _ in range(3000):
            if found := _LISTENING.search(self._log.read_text()):
                return found[1]
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(timeout=0.01)
                break
        self._process.kill()
        self._process.wait(timeout=30)
        raise RuntimeError(f"docker-registry did not start:\n{self._log.read_text()}")

    def _configuration(self) -> Path:
        lines = [
            "version: 0.1",
            "log: {level: info, accesslog: {disabled: true}}",
            "storage:",
            f"  filesystem: {{rootdirectory: {self._folder / 'storage'}, maxthreads: 100}}",
            "  delete: {enabled: true}",
            "  maintenance: {uploadpurging: {enabled: false}}",
            "http: {addr: '127.0.0.1:0', secret: fixed}",
        ]
        if self._login:
            passwords = self._folder / "htpasswd"
            passwords.write_text(_HTPASSWD)
            lines.append(f"auth: {{htpasswd: {{realm: tests, path: {passwords}}}}}")
        path = self._folder / "config.yml"
        path.write_text("\n".join(lines) + "\n")
        return path


@dataclass(kw_only=True)
class Fault:
    """What happens to the next ``times`` requests (None: all) whose method and path, query included, match.

    Instead of the registry's answer: ``status`` with ``headers`` and ``body``, or ``redirect_to`` (a base URL: 307 to
    the same path there). On top of the registry's own answer: ``headers`` set, ``without`` left out, ``wrong_bytes``,
    ``ignore_range``. On the wire: ``cut_body_after`` bytes of the answer's body, or ``cut_upload_after`` bytes of the
    request's, the connection ends, with ``reset`` by RST. ``pause_after`` bytes of the request's body (without one: of
    the answer's) ``reached`` is set and the request waits for ``resume``; never resumed, it is a stall.
    """

    method: str
    path: str
    times: int | None = 1
    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    redirect_to: str | None = None
    without: tuple[str, ...] = ()
    wrong_bytes: bool = False
    ignore_range: bool = False
    cut_body_after: int | None = None
    cut_upload_after: int | None = None
    reset: bool = False
    pause_after: int | None = None
    call: Callable[[], None] | None = None
    """Called when the request arrives, before the registry looks at it."""
    reached: threading.Event = field(default_factory=threading.Event)
    resume: threading.Event = field(default_factory=threading.Event)

    def matches(self, method: str, path: str) -> bool:
        return self.times != 0 and self.method == method and re.search(self.path, path) is not None

    def pause(self) -> None:
        self.reached.set()
        if not self.resume.wait(timeout=60):
            raise TimeoutError(f"nobody resumed {self.method} {self.path}")

    def changed(self, call: Call, answer: Callable[[Call], Answer]) -> Answer:
        """What to answer to ``call`` instead of ``answer(call)``."""
        if self.status is not None:
            return Answer(status=self.status, headers=dict(self.headers), body=self.body)
        if self.redirect_to is not None:
            return Answer(status=307, headers={"Location": self.redirect_to + call.path, **self.headers})
        if self.ignore_range:
            kept = {name: value for name, value in call.headers.items() if name.lower() != "range"}
            call = Call(method=call.method, path=call.path, headers=_Headers(kept), body=call.body)
        own = answer(call)
        headers = {name: value for name, value in own.headers.items() if name not in self.without}
        body = bytes([own.body[0] ^ 1]) + own.body[1:] if self.wrong_bytes and own.body else own.body
        return Answer(status=own.status, headers={**headers, **self.headers}, body=body)


class FaultRegistry:
    """A registry in memory, on a loopback port, with faults. ``host`` is ``127.0.0.1:PORT``.

    ``tls`` names a certificate and a key file. ``requests`` holds every call in order of arrival, without bodies.
    """

    def __init__(self, *, access: Access | None = None, tls: tuple[str, str] | None = None) -> None:
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.faults = self
        if tls is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*tls)
            self._server.socket = context.wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )
        self.host = f"127.0.0.1:{self._server.server_port}"
        self.url = f"{'https' if tls else 'http'}://{self.host}"
        self.registry = MemoryRegistry(self.url, access or Access())
        self.requests: list[Call] = []
        self._faults: list[Fault] = []
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for fault in self._faults:
            fault.resume.set()
        self._server.shutdown()
        self._thread.join()
        self._server.end_connections()
        self._server.server_close()
        if self._server.bugs and error is None:
            raise self._server.bugs[0]

    @property
    def access(self) -> Access:
        return self.registry.access

    def repository(self, name: str) -> Contents:
        return self.registry.repository(name)

    def add(self, fault: Fault) -> Fault:
        """Put ``fault`` in the way; an earlier one that matches the same request comes first."""
        with self._lock:
            self._faults.append(fault)
        return fault

    def add_blob(self, name: str, data: bytes) -> str:
        """Put a blob into repository ``name``; returns its digest."""
        self.repository(name).blobs[digest_of(data)] = data
        return digest_of(data)

    def seen(self, method: str, path: str = "") -> list[Call]:
        """The requests so far of this method whose path, query included, matches the expression ``path``."""
        with self._lock:
            return [call for call in self.requests if call.method == method and re.search(path, call.path)]

    def arrive(self, call: Call) -> Fault | None:
        """Record ``call``; the fault that it meets."""
        with self._lock:
            self.requests.append(call)
            fault = next((fault for fault in self._faults if fault.matches(call.method, call.path)), None)
            if fault is not None and fault.times is not None:
                fault.times -= 1
        if fault is not None and fault.call is not None:
            fault.call()
        return fault


class _Gone(ConnectionError):
    """The connection has ended, by the client or by a fault."""


class _Headers(dict[str, str]):
    """Headers that ignore case, as the ones of ``http.server`` do."""

    def __init__(self, headers: Mapping[str, str]) -> None:
        super().__init__({name.lower(): value for name, value in headers.items()})

    def get(self, name: str, default: Any = None) -> Any:
        return super().get(name.lower(), default)


class _Server(ThreadingHTTPServer):
    """Joins its threads on closing, and remembers what went wrong in them."""

    daemon_threads = False
    block_on_close = True
    request_queue_size = 128
    faults: FaultRegistry

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.bugs: list[BaseException] = []
        self._open: set[socket.socket] = set()
        self._open_lock = threading.Lock()

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._open_lock:
            self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        with self._open_lock:
            self._open.discard(request)
        super().shutdown_request(request)

    def end_connections(self) -> None:
        with self._open_lock:
            for request in self._open:
                with suppress(OSError):
                    socket.socket.shutdown(request, socket.SHUT_RDWR)  # under TLS too, without its farewell

    def handle_error(self, request: Any, client_address: Any) -> None:
        import sys

        error = sys.exc_info()[1]
        if error is not None and not isinstance(error, ConnectionError | ssl.SSLError):
            self.bugs.append(error)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # else every answer waits 40 ms for an acknowledgement
    server: _Server

    def _serve(self) -> None:
        headers = _Headers(dict(self.headers.items()))
        call = Call(method=self.command, path=self.path, headers=headers, port=self.client_address[1])
        fault = self.server.faults.arrive(call)
        length = int(self.headers.get("Content-Length") or 0)
        body = self._receive(length, fault)
        answer = self.server.faults.registry.answer
        whole = Call(method=call.method, path=call.path, headers=headers, body=body)
        self._answer(fault.changed(whole, answer) if fault else answer(whole), fault, paused=length > 0)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = _serve

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def _receive(self, length: int, fault: Fault | None) -> bytes:
        body = bytearray()
        stops = _stops(length, fault.cut_upload_after if fault else None, fault.pause_after if fault else None)
        for stop in stops:
            while len(body) < stop:
                data = self.rfile.read(min(stop - len(body), _BLOCK))
                if not data:
                    raise _Gone
                body += data
            if fault and length and fault.pause_after == stop:
                fault.pause()
            if fault and length and fault.cut_upload_after == stop:
                self._end(reset=fault.reset)
        return bytes(body)

    def _answer(self, answer: Answer, fault: Fault | None, *, paused: bool) -> None:
        self.send_response(answer.status)
        headers = {"Content-Length": str(len(answer.body)), **answer.headers}
        if fault and "Content-Length" in fault.without:
            headers = {**answer.headers, "Connection": "close"}
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        body = b"" if self.command == "HEAD" else answer.body
        cut = fault.cut_body_after if fault else None
        pause = fault.pause_after if fault and not paused else None
        sent = 0
        for stop in _stops(len(body), cut, pause):
            self.wfile.write(body[sent:stop])
            sent = stop
            if fault and pause == stop:
                fault.pause()
            if fault and cut == stop:
                self._end(reset=fault.reset)
        if headers.get("Content-Length") != str(len(answer.body)):
            self.close_connection = True

    def _end(self, *, reset: bool) -> None:
        """End the connection now: by RST, or as if the server had crashed between two packets."""
        if reset:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.rfile.close()
        self.wfile.close()
        self.connection.close()
        raise _Gone


def _stops(length: int, *offsets: int | None) -> list[int]:
    """Where to stop on the way through ``length`` bytes, the end included."""
    return sorted({length, *(offset for offset in offsets if offset is not None and offset <= length)})
