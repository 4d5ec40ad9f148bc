"""To whom a preview goes: the tab that queued the prompt, and the node in it that shows what runs now."""

from dataclasses import dataclass
from typing import Any

from comfy_execution.utils import get_executing_context

from .serving import running_server

EVENT = "stunet.preview"


@dataclass(frozen=True)
class Target:
    """Read once, when sampling begins: ComfyUI's own answers change with the next prompt."""

    server: Any
    client: str
    prompt: str
    node: str
    workflow: str | None

    def send(self, message: dict[str, Any]) -> None:
        """Send to the tab; from any thread, and at once."""
        told = {"prompt_id": self.prompt, "node": self.node, "workflow": self.workflow, **message}
        self.server.send_sync(EVENT, told, self.client)


def target() -> Target | None:
    """None where nobody looks: without a server, or a prompt that no tab has queued."""
    server, context = running_server(), get_executing_context()
    client = getattr(server, "client_id", None)
    if server is None or context is None or client is None:
        return None
    return Target(server, client, context.prompt_id, shown_node(context.node_id), workflow_of(server, context.prompt_id))


def shown_node(node: str) -> str:
    """The node of the user's graph that a running node belongs to; nodes that expand into others run under names of their own."""
    try:
        from comfy_execution.progress import get_progress_state

        return str(get_progress_state().dynprompt.get_display_node_id(node))
    except (ImportError, AttributeError, KeyError):
        return node


def workflow_of(server: Any, prompt: str) -> str | None:
    """The id of the workflow that a running prompt was made from; tabs hold several, with the same node ids."""
    for item in list(server.prompt_queue.currently_running.values()):
        if item[1] == prompt:
            return (item[3].get("extra_pnginfo") or {}).get("workflow", {}).get("id")
    return None
