"""The HTTP client and its websocket, against a small server that speaks the protocol byte by byte."""

from __future__ import annotations

import base64
import hashlib
import socket
import struct
import threading
from collections.abc import Callable, Iterator

import pytest

from launch.client import Client, File, Run, failure, rejection
from launch.websocket import MAGIC, PONG, WebSocket

Talk = Callable[[socket.socket], None]


def frame(opcode: int, payload: bytes, final: bool = True) -> bytes:
    """A frame as a server sends it: not masked."""
    head = (0x80 if final else 0) | opcode
    size = len(payload)
    if size < 126:
        return struct.pack("!BB", head, size) + payload
    if size < 65536:
        return struct.pack("!BBH", head, 126, size) + payload
    return struct.pack("!BBQ", head, 127, size) + payload


@pytest.fixture
def serve() -> Iterator[Callable[[Talk], str]]:
    """Returns the address of a server that accepts one websocket and then does as it is told."""
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(10)
    threads = []

    def start(talk: Talk) -> str:
        def run() -> None:
            connection, _ = listener.accept()
            with connection:
                request = b""
                while b"\r\n\r\n" not in request:
                    request += connection.recv(4096)
                key = next(line for line in request.split(b"\r\n") if line.startswith(b"Sec-WebSocket-Key")).split()[1]
                accept = base64.b64encode(hashlib.sha1(key + MAGIC).digest())
                connection.sendall(b"HTTP/1.1 101 Switching Protocols\r\nSec-WebSocket-Accept: " + accept + b"\r\n\r\n")
                talk(connection)

        threads.append(threading.Thread(target=run))
        threads[-1].start()
        return f"http://127.0.0.1:{listener.getsockname()[1]}/ws?clientId=1"

    yield start
    for thread in threads:
        thread.join(10)
    listener.close()


@pytest.mark.parametrize("size", [0, 125, 126, 65535, 65536, 300_000])
def test_messages_of_every_length_class(serve: Callable[[Talk], str], size: int) -> None:
    web = WebSocket(serve(lambda c: c.sendall(frame(1, b"x" * size) + frame(2, b"y" * size))))
    assert web.receive(5) == "x" * size
    assert web.receive(5) == b"y" * size
    web.close()


def test_fragments_are_joined_and_pings_answered_in_between(serve: Callable[[Talk], str]) -> None:
    answered = bytearray()

    def talk(connection: socket.socket) -> None:
        connection.sendall(frame(1, "grü".encode(), final=False) + frame(9, b"hi") + frame(0, b"n"))
        header = connection.recv(8, socket.MSG_WAITALL)
        answered.append(header[0] & 0x0F)
        answered.extend(b ^ header[2 + i % 4] for i, b in enumerate(header[6:]))

    web = WebSocket(serve(talk))
    assert web.receive(5) == "grün"
    web.close()
    assert bytes(answered) in (b"", bytes([PONG]) + b"hi")


def test_silence_is_a_timeout_and_the_connection_lives_on(serve: Callable[[Talk], str]) -> None:
    go = threading.Event()

    def talk(connection: socket.socket) -> None:
        go.wait(5)
        connection.sendall(frame(1, b"late"))

    web = WebSocket(serve(talk))
    with pytest.raises(TimeoutError):
        web.receive(0.05)
    go.set()
    assert web.receive(5) == "late"
    web.close()


@pytest.mark.parametrize("sent", [b"", frame(8, b""), frame(1, b"cut off")[:-2]])
def test_a_lost_connection_is_a_connection_error(serve: Callable[[Talk], str], sent: bytes) -> None:
    web = WebSocket(serve(lambda c: c.sendall(sent)))
    with pytest.raises(ConnectionError):
        web.receive(5)
    web.close()


def test_a_server_that_is_not_there_is_an_oserror() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        with pytest.raises(OSError, match=r".+"):
            Client(f"http://127.0.0.1:{unused.getsockname()[1]}").submit({})


def test_files_of_a_run() -> None:
    video = {"filename": "a.mp4", "subfolder": "video", "type": "output"}
    shown = {"filename": "b.png", "subfolder": "", "type": "temp"}
    run = Run("id", {"3": {"images": [shown]}, "7": {"images": [video], "animated": [True]}, "9": {"text": ["words"]}})
    assert run.saved() == run.files("7") == [File("a.mp4", "video", "output")]
    assert run.files() == [File("b.png", "", "temp"), *run.saved()]
    assert run.files("9") == []


def test_errors_name_the_node() -> None:
    errors = [{"message": "Value too small", "details": "seconds"}]
    answer = {
        "error": {"message": "Prompt outputs failed validation", "details": ""},
        "node_errors": {"4": {"class_type": "STUNetEmptyClip", "errors": errors}},
    }
    assert "node 4 (STUNetEmptyClip): Value too small: seconds" in rejection(answer)
    raised = {"node_type": "KSampler", "node_id": "3", "exception_message": "no\n"}
    assert failure({"messages": [("execution_error", raised)]}) == "KSampler (node 3): no"
    assert "forgot" in failure({})
