"""The little of RFC 6455 that listening to ComfyUI takes: connect, receive, answer pings, close."""

from __future__ import annotations

import base64
import hashlib
import os
import socket
import struct
from urllib.parse import urlsplit

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10
MAGIC = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


class WebSocket:
    """A client connection to `url` ("http://host:port/path?query"); ConnectionError when it is refused or lost."""

    def __init__(self, url: str, timeout: float = 30.0) -> None:
        parts = urlsplit(url)
        host, port = parts.hostname or "127.0.0.1", parts.port or 80
        self.socket = socket.create_connection((host, port), timeout)
        self.buffer = bytearray()  # received and not yet read
        key = base64.b64encode(os.urandom(16))
        target = f"{parts.path}?{parts.query}" if parts.query else parts.path
        self.socket.sendall(
            f"GET {target} HTTP/1.1\r\nHost: {host}:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {key.decode()}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        while b"\r\n\r\n" not in self.buffer:
            self._fill()
        answer, _, rest = bytes(self.buffer).partition(b"\r\n\r\n")
        self.buffer = bytearray(rest)
        status, *headers = answer.decode("latin-1").split("\r\n")
        accept = base64.b64encode(hashlib.sha1(key + MAGIC).digest()).decode()
        if " 101 " not in status or f"sec-websocket-accept: {accept}".lower() not in [h.lower() for h in headers]:
            raise ConnectionError(f"{url} did not accept a websocket: {status}")

    def receive(self, timeout: float | None = None) -> str | bytes:
        """The next message: text as str, binary as bytes.

        Raises TimeoutError when nothing arrives in `timeout` seconds, ConnectionError when the other side closed.
        """
        kind, parts = 0, bytearray()
        if not self.buffer:
            self.socket.settimeout(timeout)
            self._fill()
        self.socket.settimeout(60)  # time out between messages, not inside one
        while True:
            final, opcode, payload = self._frame()
            if opcode == PING:
                self.send(PONG, payload)
            elif opcode == CLOSE:
                raise ConnectionError("the websocket was closed")
            elif opcode != PONG:
                kind = opcode or kind
                parts += payload
                if final:
                    return parts.decode("utf-8") if kind == TEXT else bytes(parts)

    def send(self, opcode: int, payload: bytes) -> None:
        """Send one masked frame."""
        mask = os.urandom(4)
        size = len(payload)
        if size < 126:
            header = struct.pack("!BB", 0x80 | opcode, 0x80 | size)
        elif size < 1 << 16:
            header = struct.pack("!BBH", 0x80 | opcode, 0x80 | 126, size)
        else:
            header = struct.pack("!BBQ", 0x80 | opcode, 0x80 | 127, size)
        self.socket.sendall(header + mask + bytes(b ^ mask[i % 4] for i, b in enumerate(payload)))

    def close(self) -> None:
        try:
            self.send(CLOSE, b"")
        except OSError:
            pass
        self.socket.close()

    def _frame(self) -> tuple[bool, int, bytes]:
        first, second = self._read(2)
        size = second & 0x7F
        if size == 126:
            (size,) = struct.unpack("!H", self._read(2))
        elif size == 127:
            (size,) = struct.unpack("!Q", self._read(8))
        return bool(first & 0x80), first & 0x0F, self._read(size)

    def _read(self, size: int) -> bytes:
        while len(self.buffer) < size:
            self._fill()
        data = bytes(self.buffer[:size])
        del self.buffer[:size]
        return data

    def _fill(self) -> None:
        received = self.socket.recv(1 << 16)
        if not received:
            raise ConnectionError("the websocket was closed")
        self.buffer += received
