"""Who may ask the live server: the browser window that its printed address opened, nobody else.

A server on one's own machine is reached by every page that one's browser shows. So each request
must carry the run's token (a cookie that no other site's request brings along), name this server
as its host (against names that are rebound to this machine), and, where it says from which page it
comes, come from ours.
"""

import hmac
import ipaddress
import secrets
import socket
from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from rlvision_jax.live.errors import RequestError

MOST_BYTES = 4 * 1024 * 1024
"""Longest request body: a history of brush strokes over all of the frame takes less."""

_LOCAL_NAMES = ("127.0.0.1", "localhost", "[::1]")
_ANY_ADDRESS = ("0.0.0.0", "::", "")
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; "
    "style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; media-src data: blob:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


def new_token() -> str:
    """A token that nobody guesses."""
    return secrets.token_urlsafe(32)


def host_check(host: str, port: int) -> Callable[[str], bool]:
    """Whether a request's Host header names this server.

    Args:
      host: address that the server listens on. On a certain one it is called by this or as the
        local machine; on all of them by any address, which cannot be rebound as names can, or by
        the machine's name.
      port: that it listens on.

    Example:
      >>> is_ours = host_check("127.0.0.1", 8000)
      >>> is_ours("localhost:8000"), is_ours("evil.example:8000"), is_ours("127.0.0.1:80")
      (True, False, False)
    """
    names = {*_LOCAL_NAMES, f"[{host}]" if ":" in host else host.lower()}
    if host in _ANY_ADDRESS:
        names |= {socket.gethostname().lower(), socket.getfqdn().lower()}

    def check(header: str) -> bool:
        name, colon, given_port = header.lower().rpartition(":")
        if not colon or given_port != str(port):
            return False
        return name in names or (host in _ANY_ADDRESS and _is_address(name.strip("[]")))

    return check


class Guard:
    """Refuses requests before the application sees them; adds the security headers to answers."""

    def __init__(self, app: ASGIApp, *, token: str, host: str, port: int):
        """Wraps an application.

        Args:
          app: answers what is let through.
          token: of `new_token`.
          host: that the server listens on.
          port: likewise; the cookie is named by it, since browsers share cookies among ports.
        """
        self._app = app
        self._token = token
        self._is_ours = host_check(host, port)
        self.cookie = f"rlvision-{port}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request."""
        if scope["type"] != "http":
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                added = [(k.lower().encode(), v.encode()) for k, v in _HEADERS.items()]
                message["headers"] = [*message.get("headers", []), *added]
            await send(message)

        answer = self._answered(Request(scope))
        app = self._app if answer is None else answer
        if scope["method"] == "POST" and answer is None:
            receive = _limited(receive)
        await app(scope, receive, send_with_headers)

    def _answered(self, request: Request) -> Response | None:
        """The answer to what the application need not see."""
        host = request.headers.get("host", "")
        if not self._is_ours(host):
            return refusal(
                f'the Host header is "{host}"; expected this server\'s address: open the one that '
                "`rlvision view` printed"
            )
        origin = request.headers.get("origin")
        if origin is None and request.method == "POST":
            return refusal("the request lacks an Origin header; browsers send it with every POST")
        if origin is not None and origin != f"http://{host}":
            return refusal(f'the request comes from "{origin}"; expected "http://{host}"')
        offered = request.query_params.get("token")
        if request.method == "GET" and request.url.path == "/" and offered is not None:
            if not _is_same(offered, self._token):
                return refusal(
                    "the token is of another run of `rlvision view`; open the address that this "
                    "one printed"
                )
            answer = RedirectResponse("/", status_code=303)
            answer.set_cookie(self.cookie, self._token, httponly=True, samesite="strict", path="/")
            return answer
        if not _is_same(request.cookies.get(self.cookie, ""), self._token):
            return refusal(
                "the request carries no token of this run; open the address that `rlvision view` "
                "printed, with its token, or reload the page if you just did"
            )
        if request.method not in ("GET", "HEAD", "POST"):
            return refusal(f"method {request.method} is not known here", 405)
        return None


def refusal(sentence: str, status: int = 403) -> JSONResponse:
    """An answer that says why there is none."""
    return JSONResponse({"error": sentence}, status_code=status)


def _limited(receive: Receive) -> Receive:
    received = 0

    async def limited() -> Message:
        nonlocal received
        message = await receive()
        received += len(message.get("body", b""))
        if received > MOST_BYTES:
            raise RequestError(
                f"the request is larger than {MOST_BYTES:,} bytes; shorten its history", 413
            )
        return message

    return limited


def _is_same(a: str, b: str) -> bool:
    return hmac.compare_digest(a.encode(), b.encode())


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
