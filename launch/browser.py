"""The Chromium that the browser tests drive: one that is there, or else one that can be installed."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from .environment import NO_NETWORK, SetupError, say

VARIABLE = "STUNET_CHROMIUM"
COMMANDS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "msedge")
PLACES = (
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "/Applications/Microsoft Edge.app/Contents/MacOS/Microsoft Edge",
    r"C:\Program Files\Google\Chrome\Application\chrome.exe",
    r"C:\Program Files (x86)\Google\Chrome\Application\chrome.exe",
    r"C:\Program Files (x86)\Microsoft\Edge\Application\msedge.exe",
)


def find() -> Path | None:
    """The first Chromium, Chrome or Edge on this machine; $STUNET_CHROMIUM names another."""
    named = os.environ.get(VARIABLE)
    candidates = [named, *(shutil.which(command) for command in COMMANDS), *PLACES]
    return next((Path(c) for c in candidates if c and Path(c).is_file()), None)


def find_or_install(python: Path) -> Path:
    """A browser, installed when there is none: with apt as root on Debian, else with Playwright (no root needed).

    Raises SetupError when neither works.
    """
    if (found := find()) and works(found):
        return found
    say("set-up: Chromium (for the browser tests)")
    output = ""
    if hasattr(os, "geteuid") and os.geteuid() == 0 and shutil.which("apt-get"):
        for arguments in (["update"], ["install", "-y", "--no-install-recommends", "chromium"]):
            output += run(["apt-get", "-q", *arguments], DEBIAN_FRONTEND="noninteractive")
        if (found := find()) and works(found):
            return found
    output += run([str(python), "-m", "playwright", "install", "chromium"])
    where = "from playwright.sync_api import sync_playwright as p; print(p().start().chromium.executable_path)"
    built = run([str(python), "-c", where]).strip().splitlines()
    if built and Path(built[-1]).is_file():
        return Path(built[-1])
    why = "the network could not be reached" if NO_NETWORK.search(output) else "it could not be installed"
    tail = "\n".join(f"    {line}" for line in output.strip().splitlines()[-6:])
    raise SetupError(
        f"Set-up stopped at step 'Chromium (for the browser tests)': {why}. Install Chromium or Chrome, "
        f"or name one in {VARIABLE}, and run again.\n{tail}"
    )


def works(browser: Path) -> bool:
    """False for Ubuntu's placeholder that only says to install a snap."""
    if os.name == "nt":
        return True  # Chrome on Windows opens a window when asked for its version
    return subprocess.run([browser, "--version"], capture_output=True, check=False).returncode == 0


def run(command: list[str], **environment: str) -> str:
    result = subprocess.run(
        command,
        env=os.environ | environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )
    return result.stdout
