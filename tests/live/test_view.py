"""`rlvision view` as a user starts and ends it."""

import http.cookiejar
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import urllib.request

import pytest

from rlvision_jax.cli.main import main

COMMAND = "import sys; from rlvision_jax.cli.main import main; main(sys.argv[1:])"
PATIENCE = 240
"""Seconds for compiling on a machine that does other things."""


def status(*arguments):
    with pytest.raises(SystemExit) as exit_info:
        main(["view", *arguments])
    return exit_info.value.code


def test_a_report_is_viewed_edited_and_left_with_control_c(folder, tmp_path):
    command = [sys.executable, "-c", COMMAND, "view", str(folder), "--no-open"]
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, env=environment, **pipes) as server:
        try:
            address = server.stdout.readline().strip()
            assert re.fullmatch(r"http://127\.0\.0\.1:\d+/\?token=[\w-]{43}", address)
            origin = address.partition("/?")[0]
            cookies = urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar())
            browser = urllib.request.build_opener(cookies)
            with browser.open(address, timeout=PATIENCE) as page:
                assert b"rlvision-live" in page.read()
            ask = {"trajectory": 0, "step": 0, "layer": "conv2", "scores": ["value"]}
            ask["history"] = [{"edit": "remove", "kind": "saw"}, {"action": 7}]
            headers = {"Content-Type": "application/json", "Origin": origin}
            request = urllib.request.Request(
                f"{origin}/live/moment", json.dumps(ask).encode(), headers
            )
            with browser.open(request, timeout=PATIENCE) as answer:
                moment = json.load(answer)
            assert moment["end"] is None
            assert moment["observation"]["shape"] == [64, 64, 3]
        finally:
            server.send_signal(signal.SIGINT)
            _, said = server.communicate(timeout=PATIENCE)
    assert server.returncode == 0
    assert said.splitlines()[-1] == "rlvision: stopped"
    assert "Traceback" not in said


def test_a_port_in_use_is_one_sentence(folder):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        message = status(str(folder), "--port", str(port), "--no-open")
    assert message.startswith(f"rlvision: cannot listen on port {port} of 127.0.0.1: ")
    assert "choose another --port" in message


def test_what_is_no_report_is_one_sentence(tmp_path):
    message = status(str(tmp_path), "--no-open")
    assert message.startswith(f"rlvision: {tmp_path} is not a report; expected a folder that")


def test_a_report_without_its_agent_says_how_to_name_it(folder, tmp_path):
    bare = shutil.copytree(folder, tmp_path / "report")
    marker = json.loads((bare / "report.json").read_text())
    marker["files"] = {k: v for k, v in marker["files"].items() if not k.startswith("agent/")}
    (bare / "report.json").write_text(json.dumps(marker))
    message = status(str(bare), "--no-open")
    assert "0 agents are known; expected 1" in message
    assert f"rlvision view {bare} --agent PATH" in message
    message = status(str(bare), "--no-open", "--agent", "easy-200")
    assert 'the report "a live report" is not of this agent' in message
    assert "name the first by --agent" in status(str(bare), "--against", "easy-200")


def test_an_address_of_another_machine_is_one_sentence(folder):
    message = status(str(folder), "--host", "192.0.2.1", "--no-open")
    assert message.startswith("rlvision: cannot listen on port 0 of 192.0.2.1: ")


def test_listening_for_others_is_warned_of(tmp_path, capsys):
    assert "is not a report" in status(str(tmp_path), "--host", "0.0.0.0", "--no-open")
    assert "whoever reaches this machine and has the address below" in capsys.readouterr().err
