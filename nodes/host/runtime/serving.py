"""ComfyUI's server, where there is one: nodes also run without."""

import sys
from typing import Any


def running_server() -> Any:
    """The PromptServer of this process, or None."""
    module: Any = sys.modules.get("server")
    return module and getattr(module.PromptServer, "instance", None)
