from __future__ import annotations

import datetime
import gzip
import re
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from aegis.adapters.objects.https import HttpsStore
from aegis.core.errors import AegisError, UsageError
from aegis.core.ports.objects import ObjectInfo
from aegis.storage.hashing import KeepingSink
from aegis.storage.transfer import read_once
from tests.support.network.stores import Time

DAY = datetime.timedelta(days=1)
DATA = bytes(range(256)) * 400
Headers = dict[str, str | None]


class _Site(ThreadingHTTPServer):
    """One file at /models/a%20b.bin, served as its script says."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Page)
        self.asked: list[tuple[str, str | None, str | None]] = []
        self.answers: list[tuple[int, Headers, bytes]] = []
        """Instead of the file."""
        self.headers: Headers = {}
        self.cuts: list[int] = []
        self.content = DATA


class _Page(BaseHTTPRequestHandler):
    server: _Site

    def do_GET(self) -> None:
        site = self.server
        site.asked.append((self.command, self.headers["Range"], self.headers["If-Match"]))
        assert self.headers["Accept-Encoding"] == "identity"
        assert self.headers["Authorization"] is None
        if site.answers:
            self._send(*site.answers.pop(0))
        elif self.path != "/models/a%20b.bin":
            self._send(404, {}, b"")
        elif self.headers["If-Match"] not in {None, '"one"'}:
            self._send(412, {}, b"")
        elif span := re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers["Range"] or ""):
            start = int(span[1])
            told = f"bytes {start}-{len(site.content) - 1}/{len(site.content)}"
            self._send(206, {"ETag": '"one"', "Content-Range": told, **site.headers}, site.content[start:])
        else:
            self._send(200, {"ETag": '"one"', **site.headers}, site.content)

    def do_HEAD(self) -> None:
        self.do_GET()

    def _send(self, status: int, headers: Headers, body: bytes) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            if value is not None:
                self.send_header(name, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body[: self.server.cuts.pop(0)] if self.server.cuts else body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the base class's
        """Say nothing."""


@contextmanager
def served(site: _Site) -> Iterator[_Site]:
    thread = threading.Thread(target=site.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield site
    finally:
        site.shutdown()
        thread.join()


@pytest.fixture
def site() -> Iterator[_Site]:
    with _Site() as made, served(made):
        yield made


def store(site: _Site, time: Time | None = None) -> HttpsStore:
    return HttpsStore(f"http://127.0.0.1:{site.server_address[1]}", clock=(time or Time()).clock())


def read(site: _Site, info: ObjectInfo | None = None) -> bytes:
    kept = KeepingSink()
    found = info or store(site).head("models/a%20b.bin")
    assert found is not None
    read_once(store(site), found, [kept], clock=Time().clock())
    return kept.content


def code_of(do: Callable[[], object]) -> str:
    with pytest.raises(AegisError) as caught:
        do()
    return caught.value.code


def test_a_file_is_read_in_the_state_that_was_told(site: _Site) -> None:
    assert store(site).head("models/a%20b.bin") == ObjectInfo("models/a%20b.bin", len(DATA), None, '"one"')
    assert read(site) == DATA
    assert site.asked[-1] == ("GET", None, '"one"')


def test_a_name_that_was_not_encoded_yet_is(site: _Site) -> None:
    assert store(site).head("models/a b.bin") is not None


def test_none_where_there_is_none(site: _Site) -> None:
    assert store(site).head("models/other") is None


def test_it_goes_on_where_it_broke(site: _Site) -> None:
    site.cuts = [1000, 1]
    assert read(site) == DATA
    assert [span for method, span, _ in site.asked if method == "GET"] == [
        None,
        f"bytes=1000-{len(DATA) - 1}",
        f"bytes=1001-{len(DATA) - 1}",
    ]


def test_a_weak_etag_is_compared_though_it_never_matches(site: _Site) -> None:
    site.headers = {"ETag": 'W/"one"'}
    assert read(site) == DATA
    assert site.asked[-1] == ("GET", None, None)
    info = ObjectInfo("models/a%20b.bin", len(DATA), None, 'W/"two"')
    assert code_of(lambda: read(site, info)) == "verify.store_changed"


def test_there_are_no_listings(site: _Site) -> None:
    with pytest.raises(UsageError) as caught:
        store(site).list("models/")
    assert caught.value.code == "verify.source_unlistable"


ELSEWHERE: Headers = {"Location": "http://localhost:1/x"}


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        ((301, ELSEWHERE, b""), "verify.store_redirected"),
        ((302, ELSEWHERE, b""), "verify.store_redirected"),
        ((307, {"Location": "/models/other"}, b""), "verify.store_redirected"),
        ((308, {}, b""), "verify.store_redirected"),
        ((401, {}, b""), "verify.store_denied"),
        ((403, {}, b""), "verify.store_denied"),
        ((404, {}, b""), "verify.store_missing"),
        ((410, {}, b""), "verify.store_missing"),
        ((412, {}, b""), "verify.store_changed"),
        ((416, {}, b""), "verify.store_wrong_range"),
        ((206, {"ETag": '"one"', "Content-Range": "bytes 0-102399/102400"}, DATA), "verify.store_wrong_range"),
        ((200, {"ETag": '"two"'}, DATA), "verify.store_changed"),
        ((200, {}, DATA), "verify.store_changed"),
        ((200, {"ETag": '"one"'}, b""), "verify.store_wrong_size"),
        ((200, {"ETag": '"one"', "Content-Encoding": "gzip"}, gzip.compress(DATA)), "verify.store_encoded"),
        ((200, {"ETag": '"one"', "Content-Encoding": "br"}, DATA), "verify.store_encoded"),
    ],
)
def test_each_fault_has_its_code(site: _Site, answer: tuple[int, Headers, bytes], code: str) -> None:
    info = store(site).head("models/a%20b.bin")
    site.answers = [answer]
    assert code_of(lambda: read(site, info)) == code


def test_a_server_in_trouble_is_asked_again(site: _Site) -> None:
    time = Time()
    site.answers = [(503, {}, b"")] * 3
    assert store(site, time).head("models/a%20b.bin") is not None
    site.answers = [(500, {}, b"")] * 4
    assert code_of(lambda: store(site, time).head("models/a%20b.bin")) == "verify.store_failed"
    assert time.slept == [0.5, 1.0, 2.0] * 2


def test_an_answer_that_is_no_http_is_an_error(site: _Site) -> None:
    site.answers = [(200, {"Content-Length": "many"}, b"")] * 4
    assert code_of(lambda: store(site).head("models/a%20b.bin")) == "verify.store_failed"


@pytest.mark.parametrize(
    "origin", ["http://host.example", "https://user@host.example", "https://host.example?x", "ftp://x", ""]
)
def test_only_https_is_an_origin(origin: str) -> None:
    assert code_of(lambda: HttpsStore(origin)) == "verify.source_invalid"


class TestTls:
    @pytest.fixture
    def secure(self, tmp_path: Path) -> Iterator[tuple[_Site, Path]]:
        """The same site behind a certificate that only its own file vouches for."""
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
        now = datetime.datetime.now(datetime.UTC)
        certificate = (
            x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), now, now + DAY)
            .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .sign(key, hashes.SHA256())
        )
        both = tmp_path / "both.pem"
        plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        both.write_bytes(
            certificate.public_bytes(serialization.Encoding.PEM) + key.private_bytes(serialization.Encoding.PEM, *plain)
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(both)
        with _Site() as site:
            # before it is served: whoever waits at a socket knows nothing of the one that takes its place
            site.socket = context.wrap_socket(site.socket, server_side=True)
            with served(site):
                yield site, both

    def test_a_server_that_the_system_trusts(self, secure: tuple[_Site, Path], monkeypatch: pytest.MonkeyPatch) -> None:
        site, authority = secure
        monkeypatch.setenv("SSL_CERT_FILE", str(authority))
        store = HttpsStore(f"https://localhost:{site.server_address[1]}")
        info = store.head("models/a%20b.bin")
        assert info is not None
        assert b"".join(store.read(info)) == DATA

    def test_a_certificate_of_another_name(self, secure: tuple[_Site, Path], monkeypatch: pytest.MonkeyPatch) -> None:
        site, authority = secure
        monkeypatch.setenv("SSL_CERT_FILE", str(authority))
        store = HttpsStore(f"https://127.0.0.1:{site.server_address[1]}", clock=Time().clock())
        assert code_of(lambda: store.head("models/a%20b.bin")) == "verify.store_failed"
        assert site.asked == []

    def test_a_certificate_of_nobody(self, secure: tuple[_Site, Path]) -> None:
        site, _ = secure
        store = HttpsStore(f"https://localhost:{site.server_address[1]}", clock=Time().clock())
        with pytest.raises(AegisError) as caught:
            store.head("models/a%20b.bin")
        assert caught.value.code == "verify.store_failed"
        assert "TLS certificate is not valid" in caught.value.problem
        assert site.asked == []
