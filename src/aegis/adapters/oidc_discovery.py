"""Fetches an issuer's discovery document and keys over https, with the standard library alone.

No redirect and no proxy is followed. By default only public addresses are asked: an address in a token's or a
document's word must not make this service knock at its own network. The name is resolved once, and the address that was
looked at is the one that is asked, so that a second answer of the resolver changes nothing.
"""

from __future__ import annotations

import http.client
import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

from aegis.identity.tokens.jwks import Fetched, origin
from aegis.identity.tokens.keys import MAX_SET
from aegis.identity.tokens.refusal import TokenRefused, refused

SECONDS = 10.0
"""For one document, from the first connection to the last byte."""
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_MAX_BEARER = 16 * 1024


class HttpsFetch:
    """A `Fetch` of `aegis.identity.tokens`."""

    def __init__(
        self,
        *,
        authority: str | None = None,
        private_network: bool = False,
        bearer_file: Path | None = None,
        seconds: float = SECONDS,
    ) -> None:
        """`authority`: PEM, the only ones trusted; None: the system's.

        `private_network`: also ask this machine and private addresses, as for an issuer in the cluster.
        `bearer_file` holds a token to send, read anew each time since it is replaced now and then: a Kubernetes API
        server shows its keys to its own service accounts alone. Raises ValueError for an authority that is none.
        """
        if authority is not None and "-----BEGIN CERTIFICATE-----" not in authority:
            # `ssl` would take an empty text for none, and then trust the system's
            raise ValueError("is no certificate in PEM")
        try:
            self._tls = ssl.create_default_context(cadata=authority)
        except ssl.SSLError:
            raise ValueError("is no certificate in PEM") from None
        self._private_network = private_network
        self._bearer_file = bearer_file
        self._seconds = seconds

    def __call__(self, address: str) -> Fetched:
        """The document. Raises TokenRefused `token.keys_unavailable`."""
        try:
            host, port = origin(address)
        except ValueError as error:
            raise _failed("an address", f"{error}") from None
        where = f"https://{host}:{port}"
        end = time.monotonic() + self._seconds
        connection = _Connection(host, port, self._addresses(host, port, where), self._tls, end)
        # A server that sends a byte now and then would hold the connection, whatever its timeout.
        guard = threading.Timer(self._seconds, connection.cut)
        guard.daemon = True
        guard.start()
        try:
            parts = urlsplit(address)
            target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
            connection.request("GET", target, headers=self._headers(where))
            document = _document(connection.getresponse(), where)
            if connection.over:
                raise TimeoutError  # what was read ended because we ended it
            return document
        except TimeoutError:
            raise _failed(where, f"no answer within {self._seconds:g} s") from None
        except ssl.SSLCertVerificationError as error:
            raise _failed(where, f"its certificate is not valid: {error.verify_message}") from None
        except (OSError, http.client.HTTPException, ValueError) as error:
            if connection.over:  # whatever it met, it was cut
                raise _failed(where, f"no answer within {self._seconds:g} s") from None
            # the text of http.client's errors may hold what the server sent, or a header of ours
            said = error.strerror if isinstance(error, OSError) and error.strerror else ""
            raise _failed(where, f"{type(error).__name__} {said}".strip()) from None
        finally:
            guard.cancel()
            connection.close()

    def _headers(self, where: str) -> dict[str, str]:
        headers = {"Accept": "application/json", "Accept-Encoding": "identity", "User-Agent": "aegis"}
        if self._bearer_file is not None:
            try:
                with self._bearer_file.open(encoding="ascii") as file:
                    headers["Authorization"] = f"Bearer {file.read(_MAX_BEARER).strip()}"
            except (OSError, UnicodeDecodeError) as error:
                raise _failed(where, f"the bearer token's file: {type(error).__name__}") from None
        return headers

    def _addresses(self, host: str, port: int, where: str) -> Sequence[str]:
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            raise _failed(where, f"its name is not resolved ({type(error).__name__})") from None
        addresses = list(dict.fromkeys(str(info[4][0]) for info in found))
        if not addresses or not all(may_ask(address, private=self._private_network) for address in addresses):
            raise _failed(where, "it is in no network that may be asked", remedy="see privateNetwork in the manual")
        return addresses


def may_ask(address: str, *, private: bool) -> bool:
    """Whether an IP address is one of the internet; `private`: or of this machine or a private network.

    Link-local ones never are: 169.254.169.254 gives credentials to whoever asks.
    """
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        if ip.ipv4_mapped is not None:
            ip = ip.ipv4_mapped
        elif ip in _NAT64:
            ip = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
    if ip.is_multicast or ip.is_link_local or ip.is_unspecified or (ip.is_reserved and not ip.is_loopback):
        return False
    return private or ip.is_global


class _Connection(http.client.HTTPSConnection):
    """To addresses that are known already, under the name that the certificate must have."""

    def __init__(self, host: str, port: int, addresses: Sequence[str], tls: ssl.SSLContext, end: float) -> None:
        super().__init__(host, port, context=tls)
        self._addresses = addresses
        self._tls = tls
        self._end = end
        self.over = False
        """Whether it was ended by `cut`."""

    def connect(self) -> None:
        """Try each address in turn."""
        for index, address in enumerate(self._addresses):
            try:
                plain = socket.create_connection((address, self.port), self._left())
                break
            except OSError:
                if index == len(self._addresses) - 1:
                    raise
        plain.settimeout(self._left())
        self.sock = plain
        self.sock = self._tls.wrap_socket(plain, server_hostname=self.host)

    def _left(self) -> float:
        left = self._end - time.monotonic()
        if left <= 0:
            raise TimeoutError
        return left

    def cut(self) -> None:
        """End the connection from another thread."""
        self.over = True
        if self.sock is not None:
            try:
                self.sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                return  # it has ended by itself


def _document(response: http.client.HTTPResponse, where: str) -> Fetched:
    if response.status != 200:
        raise _failed(where, f"it answered {response.status}")
    if response.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise _failed(where, "it answered in an encoding that was not asked for")
    announced = response.length
    body = response.read(MAX_SET + 1)
    if len(body) > MAX_SET:
        raise _failed(where, f"its answer has more than {MAX_SET} bytes")
    if announced is not None and len(body) != announced:
        raise _failed(where, f"its answer was cut off after {len(body)} of {announced} bytes")
    return Fetched(body, ", ".join(response.headers.get_all("Cache-Control", [])))


def _failed(where: str, problem: str, *, remedy: str = "") -> TokenRefused:
    return refused(
        "keys_unavailable",
        f"{where}: {problem}",
        "an issuer that publishes its keys over https",
        remedy=remedy or "fetch its discovery document and keys from this machine, and try again",
    )
