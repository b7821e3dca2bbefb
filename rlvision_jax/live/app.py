"""The live server's addresses: a report's files, and under /live/ questions about its moments.

All computation runs in one thread, one request after the other; the event loop stays free.
"""

import asyncio
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol, runtime_checkable

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from rlvision_jax.live.errors import RequestError
from rlvision_jax.live.files import ReportFiles
from rlvision_jax.live.guard import Guard, refusal

_GONE = Response(status_code=499)


@runtime_checkable
class Answers(Protocol):
    """What questions are answered by: a `Session`."""

    def about(self) -> dict[str, Any]:
        """What can be edited."""
        ...

    def moment(self, request: Any) -> dict[str, Any]:
        """A moment and what the agent makes of it."""
        ...

    def play(self, request: Any) -> dict[str, Any]:
        """How the agent plays on."""
        ...


def make_app(
    session: Answers,
    files: ReportFiles,
    worker: ThreadPoolExecutor,
    *,
    token: str,
    host: str,
    port: int,
) -> Guard:
    """The application that a server runs.

    Args:
      session: answers questions; used in `worker` only.
      files: what is served.
      worker: of one thread.
      token: of `guard.new_token`.
      host: that the server listens on.
      port: likewise.
    """
    turn = asyncio.Lock()

    async def computed(
        request: Request | None, answer: Callable[..., dict[str, Any]], *arguments: Any
    ) -> Response:
        """The answer as JSON, when the requests before have theirs."""
        async with turn:
            if request is not None and await request.is_disconnected():
                return _GONE  # the page has asked something newer meanwhile
            loop = asyncio.get_running_loop()
            try:
                content = await loop.run_in_executor(worker, _as_json, answer, *arguments)
            except RequestError as error:
                return refusal(str(error), error.status)
        return Response(content, media_type="application/json")

    async def about(request: Request) -> Response:
        return await computed(None, session.about)

    def asks(answer: Callable[[Any], dict[str, Any]]) -> Callable:
        async def endpoint(request: Request) -> Response:
            try:
                asked = await _body(request)
            except RequestError as error:
                return refusal(str(error), error.status)
            except ClientDisconnect:
                return _GONE
            return await computed(request, answer, asked)

        return endpoint

    async def file(request: Request) -> Response:
        found = await asyncio.to_thread(files.read, request.path_params["path"])
        if found is None:
            return refusal(
                f"the report has no file {request.url.path[:200]}; expected one that its "
                "report.json lists, undamaged",
                404,
            )
        content, media_type = found
        return Response(content, media_type=media_type)

    routes = [
        Route("/live/about", about, methods=["GET"]),
        Route("/live/moment", asks(session.moment), methods=["POST"]),
        Route("/live/play", asks(session.play), methods=["POST"]),
        Route("/{path:path}", file, methods=["GET"]),
    ]
    handlers = {HTTPException: _refused, Exception: _failed}
    app = Starlette(routes=routes, exception_handlers=handlers)
    return Guard(app, token=token, host=host, port=port)


def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return refusal(
        f"{request.method} {request.url.path[:200]}: {error.detail}", status=error.status_code
    )


def _failed(request: Request, error: Exception) -> Response:
    # Starlette raises it again afterwards, so that it is seen in the terminal.
    return refusal(
        f"the server failed ({type(error).__name__}: {error}); its terminal says where", 500
    )


def _as_json(answer: Callable[..., dict[str, Any]], *arguments: Any) -> bytes:
    return json.dumps(answer(*arguments), allow_nan=False, separators=(",", ":")).encode("ascii")


async def _body(request: Request) -> Any:
    media_type = request.headers.get("content-type", "").partition(";")[0].strip()
    if media_type != "application/json":
        raise RequestError(
            f'the request is of type "{media_type}"; expected application/json', status=415
        )
    body = await request.body()
    try:
        return json.loads(body, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise RequestError(f"the request is no JSON: {error}") from None


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no number of JSON")
