"""ComfyUI's HTTP API as far as `run.py` and the tests need it: submit a workflow, follow it, fetch what it made."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import ProxyHandler, Request, build_opener

from .websocket import TEXT, WebSocket

Workflow = dict[str, dict[str, Any]]
OPENER = build_opener(ProxyHandler({}))  # the server is on this machine: never through a proxy


class WorkflowRejected(ValueError):
    """ComfyUI refused the workflow before running it; the message lists every error by node."""


class WorkflowFailed(RuntimeError):
    """A node raised while the workflow ran; the message names the node and what it said."""


@dataclass(frozen=True)
class File:
    """One file a workflow made, as /view knows it."""

    filename: str
    subfolder: str
    type: str


@dataclass
class Run:
    """A finished workflow: the outputs by node id, and what the server sent while it ran."""

    prompt_id: str
    outputs: dict[str, dict[str, Any]] = field(default_factory=dict)
    events: list[dict[str, Any]] = field(default_factory=list)
    previews: list[bytes] = field(default_factory=list)

    def files(self, node: str | None = None) -> list[File]:
        """Files in the order of the output nodes; of one node when `node` is given. Videos come under "images" too."""
        found = []
        for name, output in self.outputs.items():
            for items in output.values() if node in (None, name) else ():
                for item in items if isinstance(items, list) else ():
                    if isinstance(item, dict) and "filename" in item:
                        found.append(File(item["filename"], item.get("subfolder", ""), item.get("type", "output")))
        return found

    def saved(self) -> list[File]:
        """Files that are kept: those in ComfyUI's output folder, not what nodes only show."""
        return [file for file in self.files() if file.type == "output"]


class Client:
    """A client of the ComfyUI at `url`, e.g. "http://127.0.0.1:8188". OSError means that it can't be reached."""

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")

    def request(self, path: str, data: bytes | None = None, content_type: str = "", timeout: float = 60) -> bytes:
        """GET `path`, or POST `data` to it; raises urllib's HTTPError (an OSError) on an error status."""
        request = Request(self.url + path, data, {"Content-Type": content_type} if content_type else {})
        with OPENER.open(request, timeout=timeout) as response:
            return bytes(response.read())

    def json(self, path: str, data: Any = None, timeout: float = 60) -> Any:
        """GET `path`, or POST `data` as JSON; returns the decoded answer, None when it is empty."""
        body = None if data is None else json.dumps(data).encode()
        answer = self.request(path, body, "application/json" if body else "", timeout)
        return json.loads(answer) if answer.strip() else None

    def download(self, file: File) -> bytes:
        """The content of a file that a workflow made."""
        query = {"filename": file.filename, "subfolder": file.subfolder, "type": file.type}
        return self.request(f"/view?{urlencode(query)}")

    def upload(self, name: str, content: bytes) -> str:
        """Put `content` into ComfyUI's input folder; returns the name for LoadImage and the like."""
        boundary = uuid.uuid4().hex
        part = f'--{boundary}\r\nContent-Disposition: form-data; name="{{}}"{{}}\r\n\r\n'
        body = part.format("overwrite", "").encode() + b"true\r\n"
        body += part.format("image", f'; filename="{PurePath(name).name}"').encode() + content
        body += f"\r\n--{boundary}--\r\n".encode()
        answer = json.loads(self.request("/upload/image", body, f"multipart/form-data; boundary={boundary}"))
        return f"{answer['subfolder']}/{answer['name']}" if answer.get("subfolder") else str(answer["name"])

    def history(self, prompt_id: str) -> dict[str, Any]:
        """What ComfyUI remembers of a finished workflow; {} when it does not know it."""
        found = self.json(f"/history/{prompt_id}")
        return dict(found.get(prompt_id, {}))

    def interrupt(self) -> None:
        """Stop the workflow that runs now."""
        self.request("/interrupt", b"{}", "application/json")

    def submit(
        self, workflow: Workflow, on_event: Callable[[dict[str, Any]], None] | None = None, timeout: float = 900
    ) -> Run:
        """Run an API-form workflow and wait until it is done.

        Args:
            workflow: node id -> {"class_type", "inputs"}.
            on_event: called with each message of the server about this run, {"type": ..., "data": {...}}.
            timeout: seconds until TimeoutError.

        Raises:
            WorkflowRejected: bad input, found before running.
            WorkflowFailed: a node raised, or the run was interrupted.
            ConnectionError: the server went away.
        """
        client_id = uuid.uuid4().hex
        socket = WebSocket(f"{self.url}/ws?clientId={client_id}")
        try:
            # Announcing this is what the frontend does; previews then come with their node's id.
            hello = {"type": "feature_flags", "data": {"supports_preview_metadata": True}}
            socket.send(TEXT, json.dumps(hello).encode())
            run = Run(self._queue(workflow, client_id))
            self._follow(socket, run, on_event, timeout)
        finally:
            socket.close()
        history = self.history(run.prompt_id)
        status = history.get("status", {})
        if status.get("status_str") != "success":
            raise WorkflowFailed(failure(status))
        run.outputs = history["outputs"]
        return run

    def _queue(self, workflow: Workflow, client_id: str) -> str:
        try:
            return str(self.json("/prompt", {"prompt": workflow, "client_id": client_id})["prompt_id"])
        except HTTPError as error:
            if error.code != 400:
                raise
            raise WorkflowRejected(rejection(json.loads(error.read()))) from None

    def _follow(
        self, socket: WebSocket, run: Run, on_event: Callable[[dict[str, Any]], None] | None, timeout: float
    ) -> None:
        """Listen until the server says that nothing of this run is executing any more."""
        end = time.monotonic() + timeout
        while (left := end - time.monotonic()) > 0:
            try:
                message = socket.receive(left)
            except TimeoutError:
                break
            if isinstance(message, bytes):
                run.previews.append(message)
                continue
            event = json.loads(message)
            data = event.get("data") or {}
            if data.get("prompt_id") != run.prompt_id:
                continue
            run.events.append(event)
            if on_event:
                on_event(event)
            # Only now is the history complete: after "execution_success" it can still be empty.
            if event["type"] == "executing" and data.get("node") is None:
                return
            if event["type"] in ("execution_error", "execution_interrupted"):
                self._wait_for_history(run.prompt_id)
                return
        self.interrupt()
        raise TimeoutError(f"the workflow was not done after {timeout:.0f} s and was interrupted")

    def _wait_for_history(self, prompt_id: str, seconds: float = 10) -> None:
        end = time.monotonic() + seconds
        while not self.history(prompt_id) and time.monotonic() < end:
            time.sleep(0.05)


def rejection(answer: Mapping[str, Any]) -> str:
    """ComfyUI's 400 answer as one readable message."""
    lines = [" ".join(filter(None, (answer["error"].get("message"), answer["error"].get("details"))))]
    for node, report in (answer.get("node_errors") or {}).items():
        for error in report["errors"]:
            lines.append(f"node {node} ({report['class_type']}): {error['message']}: {error['details']}")
    return "\n".join(lines)


def failure(status: Mapping[str, Any]) -> str:
    """Why a run did not succeed, from its history's status."""
    for kind, data in reversed(status.get("messages", [])):
        if kind == "execution_error":
            return f"{data['node_type']} (node {data['node_id']}): {data['exception_message'].strip()}"
        if kind == "execution_interrupted":
            return f"interrupted at {data.get('node_type')} (node {data.get('node_id')})"
    return "the server forgot the workflow before it was done"
