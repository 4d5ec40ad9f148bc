"""Runs a script for as long as whoever started it lives: `python attended.py SCRIPT ARGUMENTS`, with a pipe from the starter as stdin.

However the starter ends (killed, its terminal closed, a time limit), the system closes its end of the pipe: on Linux, macOS and Windows.
"""

import os
import runpy
import signal
import sys
import threading
from pathlib import Path

GRACE = 10.0  # seconds for the script to end by itself


def attend() -> None:
    """Wait for the pipe to close, then end this process: as Ctrl-C does, and if that is not heard, at once."""
    try:
        while os.read(0, 4096):
            pass
    except OSError:
        pass
    last = threading.Timer(GRACE, os._exit, (1,))
    last.daemon = True
    last.start()
    signal.raise_signal(signal.SIGINT)


if __name__ == "__main__":
    script = Path(sys.argv[1]).resolve()
    sys.argv = sys.argv[1:]
    sys.path[0] = str(script.parent)
    threading.Thread(target=attend, daemon=True).start()
    runpy.run_path(str(script), run_name="__main__")
