"""Warnings for the user: in the log, and on the node while it runs."""

import logging

from comfy_execution.utils import get_executing_context

from .serving import running_server

log = logging.getLogger(__name__)


def say(text: str, level: int = logging.WARNING) -> None:
    """Log a warning, or at another level, and show it on the node that runs now, if a page is open."""
    log.log(level, "STUNet: %s", text)
    context, server = get_executing_context(), running_server()
    if context is not None and server is not None:
        server.send_progress_text(text, context.node_id)
