"""The suite is really offline: in this process, in its children, by address and by name."""

import os
import socket
import subprocess
import sys
import urllib.request

import pytest

# An address reserved for documentation (RFC 5737): nothing answers there, should the guard ever fail.
ELSEWHERE = ("192.0.2.1", 9)


@pytest.mark.parametrize("method", ["connect", "connect_ex"])
def test_a_connection_to_another_machine_is_refused(method: str) -> None:
    with (
        socket.socket(socket.AF_INET, socket.SOCK_STREAM) as caller,
        pytest.raises(RuntimeError, match=r"offline.*192\.0\.2\.1"),
    ):
        getattr(caller, method)(ELSEWHERE)


def test_a_datagram_to_another_machine_is_refused() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as caller, pytest.raises(RuntimeError, match="offline"):
        caller.sendto(b"x", ELSEWHERE)


def test_the_name_of_another_machine_is_not_looked_up() -> None:
    with pytest.raises(RuntimeError, match=r"looks up 'huggingface\.co'"):
        urllib.request.urlopen("https://huggingface.co")


def test_child_processes_are_offline_too() -> None:
    code = "import socket; socket.create_connection(('192.0.2.1', 9), timeout=1)"
    child = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert child.returncode == 1
    assert "NetworkRefused" in child.stderr


def test_this_machine_can_be_reached() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as caller:
        assert caller.getpeername() == server.getsockname()


def test_the_hub_is_off_for_every_library() -> None:
    assert os.environ["HF_HUB_OFFLINE"] == "1"
