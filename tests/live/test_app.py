"""Over HTTP: who is answered, what is served, and how refusals read."""

import concurrent.futures
import contextlib
import http.client
import json
import re
import threading

import pytest

from rlvision_jax.interface.layout import MARKER
from rlvision_jax.live.app import make_app
from rlvision_jax.live.files import LIVE_MARK, ReportFiles
from rlvision_jax.live.guard import MOST_BYTES, host_check
from rlvision_jax.live.server import bind, make_server

HOST, TOKEN = "127.0.0.1", "a-token-of-this-run"
ASK = {"trajectory": 0, "step": 4, "layer": "conv2", "scores": ["value"], "history": []}


class Quiet:
    """A session that only repeats what it is asked; one question fails."""

    def about(self):
        return {"scene": True}

    def moment(self, request):
        return {"asked": request}

    def play(self, request):
        raise ZeroDivisionError("a mistake of ours")


class Answer:
    def __init__(self, response):
        self.status, self.headers, self.content = response.status, response.headers, response.read()

    def json(self):
        return json.loads(self.content)


class Client:
    """Sends what it is told to, which browsers and other clients would put right."""

    def __init__(self, port):
        self.port = port
        self.origin = f"http://{HOST}:{port}"
        self.cookie = f"rlvision-{port}={TOKEN}"

    def ask(self, method, path, body=None, **headers):
        """One request as of the page; a header of None is left out."""
        sent = {"Host": f"{HOST}:{self.port}", "Cookie": self.cookie}
        if method == "POST":
            sent |= {"Origin": self.origin, "Content-Type": "application/json"}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        connection = http.client.HTTPConnection(HOST, self.port, timeout=60)
        try:
            connection.putrequest(method, path, skip_host=True)
            for name, value in sent.items():
                if value is not None:
                    connection.putheader(name, value)
            if body is not None:
                body = body if isinstance(body, bytes) else json.dumps(body).encode()
                connection.putheader("Content-Length", str(len(body)))
            # A server that refuses may have closed the connection before all is sent.
            with contextlib.suppress(ConnectionError):
                connection.endheaders(body)
            return Answer(connection.getresponse())
        finally:
            connection.close()

    def get(self, path, **headers):
        return self.ask("GET", path, **headers)

    def post(self, path, body=None, **headers):
        return self.ask("POST", path, body, **headers)


class Slow(Quiet):
    """Answers its first question when it is told to."""

    def __init__(self):
        self.is_asked, self.may_answer, self.asked = threading.Event(), threading.Event(), []

    def moment(self, request):
        self.asked.append(request)
        self.is_asked.set()
        assert self.may_answer.wait(60)
        return {}


@contextlib.contextmanager
def served(session, folder):
    with (
        contextlib.closing(bind(HOST, 0)) as listening,
        concurrent.futures.ThreadPoolExecutor(1) as worker,
    ):
        port = listening.getsockname()[1]
        app = make_app(session, ReportFiles(folder), worker, token=TOKEN, host=HOST, port=port)
        server = make_server(app)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        try:
            yield Client(port)
        finally:
            server.should_exit = True
            thread.join()


@pytest.fixture(scope="module")
def client(folder):
    """Asks a server whose session answers nothing itself."""
    with served(Quiet(), folder) as client:
        yield client


def refused(response, status, message):
    assert response.status == status
    assert re.search(message, response.json()["error"]), response.json()["error"]


def test_the_token_is_exchanged_for_a_cookie_that_no_script_or_site_gets(client):
    answer = client.get(f"/?token={TOKEN}", Cookie=None)
    assert (answer.status, answer.headers["location"]) == (303, "/")
    cookie, *flags = answer.headers["set-cookie"].split("; ")
    assert {"HttpOnly", "SameSite=strict"} <= set(flags)
    assert client.get("/", Cookie=cookie).status == 200


@pytest.mark.parametrize("path", ["/", "/data/report.js", "/live/about", "/nothing"])
def test_without_the_token_nothing_is_told(client, path):
    for cookie in (None, client.cookie + "x", f"rlvision-80={TOKEN}"):
        refused(client.get(path, Cookie=cookie), 403, "carries no token of this run")


def test_a_wrong_token_is_no_token(client):
    refused(client.get("/?token=guess"), 403, "the token is of another run")
    refused(client.get("/?token=%C3%A9", Cookie=None), 403, "the token is of another run")


@pytest.mark.parametrize("host", ["evil.example", "evil.example:{port}", HOST, f"{HOST}:80", ""])
def test_other_host_names_are_refused(client, host):
    host = host.format(port=client.port)
    refused(client.get("/live/about", Host=host), 403, f'the Host header is "{host}"')


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "https://127.0.0.1:{port}"])
def test_pages_of_other_sites_are_refused(client, origin):
    origin = origin.format(port=client.port)
    for answer in (
        client.post("/live/moment", ASK, Origin=origin),
        client.get("/live/about", Origin=origin),
    ):
        refused(answer, 403, f'the request comes from "{origin}"')


def test_a_post_without_an_origin_is_refused(client):
    refused(client.post("/live/moment", ASK, Origin=None), 403, "lacks an Origin header")


def test_a_machine_open_to_others_is_called_by_address_not_by_any_name():
    is_ours = host_check("0.0.0.0", 80)
    assert is_ours("192.0.2.7:80")
    assert is_ours("[2001:db8::1]:80")
    assert not is_ours("rebound.example:80")
    assert not host_check("127.0.0.1", 80)("192.0.2.7:80")
    assert host_check("::1", 80)("[::1]:80")


def test_the_page_is_marked_live_and_may_ask_this_server_only(client):
    answer = client.get("/")
    head = answer.content.decode().partition("</head>")[0]
    assert LIVE_MARK in head
    assert "http-equiv" not in head
    policy = answer.headers["content-security-policy"]
    for rule in ("default-src 'none'", "script-src 'self'", "connect-src 'self'"):
        assert rule in policy
    assert "unsafe-inline" not in policy.partition("script-src")[2].partition(";")[0]
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_the_reports_data_are_served_as_they_are(client, folder):
    listed = json.loads((folder / MARKER).read_text())["files"]
    data = [path for path in listed if path.startswith("data/")]
    assert len(data) == 3
    for path in data:
        answer = client.get(f"/{path}")
        assert answer.content == (folder / path).read_bytes()
        assert answer.headers["content-type"].startswith("text/javascript")


@pytest.mark.parametrize(
    "path",
    [
        "/report.json",
        "/agent/agent.json",
        "/data",
        "/data/",
        "/data/../report.json",
        "/data/%2e%2e/report.json",
        "/..%2f..%2f..%2fetc/passwd",
        "/%2fetc/passwd",
        "/data/observations-9.js",
        "/data/report.js%00",
        "/live/other",
    ],
)
def test_nothing_else_is_served(client, path):
    refused(client.get(path), 404, "the report has no file")


@pytest.mark.parametrize("script", ["fetch('/live/about');", "{};fetch('/live/about'", ""])
def test_scripts_of_a_foreign_report_never_reach_the_page(client, folder, script):
    listed = folder / "data" / "observations-1.js"
    content = listed.read_bytes()
    call = 'rlvisionReceive("data/observations-1.js",'
    listed.write_text(f"{call}{script});\n" if script else f"{call}{{}});\nfetch('/');\n")
    try:
        refused(client.get("/data/observations-1.js"), 404, "the report has no file")
    finally:
        listed.write_bytes(content)


def test_a_link_out_of_the_report_is_not_served(client, folder, tmp_path):
    listed = folder / "data" / "observations-1.js"
    content = listed.read_bytes()
    (tmp_path / "secret").write_text("secret")
    listed.unlink()
    listed.symlink_to(tmp_path / "secret")
    try:
        refused(client.get("/data/observations-1.js"), 404, "the report has no file")
    finally:
        listed.unlink()
        listed.write_bytes(content)


def test_answers_are_the_sessions(session, folder):
    with served(session, folder) as client:
        assert client.get("/live/about").json() == session.about()
        answer, expected = client.post("/live/moment", ASK).json(), session.moment(ASK)
        assert answer.pop("milliseconds") > 0
        expected.pop("milliseconds")
        assert answer == expected
        plays = {"trajectory": 0, "step": 4, "num_steps": 3, "seed": 1}
        assert client.post("/live/play", plays).json() == session.play(plays)
        beyond = client.post("/live/moment", {**ASK, "step": 150})
        refused(beyond, 400, "from 0 to 149; got 150")


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"{", "the request is no JSON"),
        (b'{"trajectory": NaN}', "NaN is no number of JSON"),
        (b"\xff", "the request is no JSON"),
        (b"[" * 100_000, "the request is no JSON"),
        (b"", "the request is no JSON"),
    ],
)
def test_what_is_no_json_is_refused(client, body, message):
    refused(client.post("/live/moment", body), 400, message)


def test_a_form_is_refused(client):
    answer = client.post("/live/moment", b"a=b", Content_Type="text/plain")
    refused(answer, 415, "expected application/json")


def test_a_body_too_large_is_refused(client):
    most = b'"' + b"a" * (MOST_BYTES - 2) + b'"'
    assert len(client.post("/live/moment", most).json()["asked"]) == MOST_BYTES - 2
    refused(client.post("/live/moment", most + b" "), 413, "larger than 4,194,304 bytes")


@pytest.mark.parametrize(("method", "path"), [("DELETE", "/"), ("PUT", "/live/moment")])
def test_other_methods_are_refused(client, method, path):
    refused(client.ask(method, path), 405, f"method {method} is not known here")


def test_asking_in_the_wrong_way_is_refused(client):
    refused(client.post("/live/about", {}), 405, "POST /live/about: Method Not Allowed")


def test_a_mistake_of_ours_is_told_and_the_server_goes_on(client):
    refused(client.post("/live/play", {}), 500, "ZeroDivisionError: a mistake of ours")
    assert client.get("/live/about").json() == {"scene": True}


def test_while_one_question_is_answered_files_are_served_and_those_given_up_are_dropped(folder):
    session = Slow()
    with served(session, folder) as client, concurrent.futures.ThreadPoolExecutor(2) as askers:
        first = askers.submit(client.post, "/live/moment", 1)
        assert session.is_asked.wait(60)
        given_up = http.client.HTTPConnection(HOST, client.port, timeout=60)
        headers = {"Cookie": client.cookie, "Origin": client.origin}
        headers["Content-Type"] = "application/json"
        given_up.request("POST", "/live/moment", "2", headers)
        # It has come in before the next is answered, and its end before the one after.
        assert client.get("/").status == 200
        given_up.close()
        assert client.get("/").status == 200
        last = askers.submit(client.post, "/live/moment", 3)
        session.may_answer.set()
        assert (first.result().status, last.result().status) == (200, 200)
    assert session.asked == [1, 3]
