"""Things the user should know that are no errors: in the log, and on the node while it runs."""

import logging

from comfy_execution.utils import get_executing_context
from server import PromptServer

log = logging.getLogger(__name__)


def say(text: str) -> None:
    """Log a warning and show it on the node that runs now, if a page is open."""
    log.warning("STUNet: %s", text)
    context, server = get_executing_context(), getattr(PromptServer, "instance", None)
    if context is not None and server is not None:
        server.send_progress_text(text, context.node_id)
