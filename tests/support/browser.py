"""A real browser for the tests: Chromium without a window, driven over a pipe with its DevTools protocol.

Nothing but Chromium itself is needed: no driver, no port, and no connection that would leave this machine.
"""

from __future__ import annotations

import base64
import fcntl
import json
import os
import select
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
# No sandbox: containers, in which tests often run as root, do not let Chromium build its own.
_FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-dev-shm-usage --hide-scrollbars --no-first-run "
    "--disable-background-networking --disable-component-update --disable-sync"
)
# A machine that runs much else may be slow; a browser that says nothing for so long has died.
_PATIENCE_SECONDS = 120


def _pipe() -> tuple[int, int]:
    """Both ends of a pipe, under numbers that leave 3 and 4 free in a child."""
    ends = os.pipe()
    high = tuple(fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 10) for end in ends)
    for end in ends:
        os.close(end)
    return high


class Browser:
    """One page of one browser.

    `faults` collects the errors and warnings of its console, `requests` the addresses that it loads.
    """

    def __init__(self, profile: Path) -> None:
        assert CHROMIUM, "no Chromium on this machine"
        from_us, self._to = _pipe()
        self._from, to_us = _pipe()
        # Chromium reads its orders on descriptor 3 and answers on 4.
        command = f'exec "$0" {_FLAGS} --user-data-dir="$1" --remote-debugging-pipe about:blank 3<&{from_us} 4>&{to_us}'
        with (profile.parent / "chromium.log").open("wb") as log:
            self._process = subprocess.Popen(
                ["bash", "-c", command, CHROMIUM, str(profile)], pass_fds=(from_us, to_us), stdout=log, stderr=log
            )
        os.close(from_us)
        os.close(to_us)
        self._unread = b""
        self._sent = 0
        self._session = ""
        self._loaded = False
        self.faults: list[str] = []
        self.requests: list[str] = []
        target = next(one for one in self.call("Target.getTargets")["targetInfos"] if one["type"] == "page")
        attached = self.call("Target.attachToTarget", targetId=target["targetId"], flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """One order of the protocol and its result. Raises RuntimeError where the browser refuses it."""
        self._sent += 1
        order = {"id": self._sent, "method": method, "params": parameters}
        if self._session:
            order["sessionId"] = self._session
        rest = json.dumps(order).encode() + b"\0"
        while rest:
            rest = rest[os.write(self._to, rest) :]
        while True:
            message = self._read()
            if message.get("id") == self._sent:
                if "error" in message:
                    raise RuntimeError(f"{method}: {message['error']['message']}")
                result: dict[str, Any] = message["result"]
                return result

    def _read(self) -> Mapping[str, Any]:
        """The next message; what it says of the page is noted."""
        while b"\0" not in self._unread:
            ready, _, _ = select.select([self._from], [], [], _PATIENCE_SECONDS)
            read = os.read(self._from, 1 << 20) if ready else b""
            if not read:
                raise RuntimeError("Chromium ended or says nothing: chromium.log in the test's folder may tell why")
            self._unread += read
        line, _, self._unread = self._unread.partition(b"\0")
        message: dict[str, Any] = json.loads(line)
        told = message.get("params", {})
        match message.get("method"):
            case "Page.loadEventFired":
                self._loaded = True
            case "Runtime.exceptionThrown":
                self.faults.append(str(told["exceptionDetails"].get("exception", told["exceptionDetails"])))
            case "Runtime.consoleAPICalled" if told["type"] in ("error", "warning", "assert"):
                self.faults.append(str(told["args"]))
            case "Log.entryAdded" if told["entry"]["level"] in ("error", "warning"):
                self.faults.append(told["entry"]["text"])
            case "Network.requestWillBeSent":
                self.requests.append(told["request"]["url"])
        return message

    def open(self, url: str) -> None:
        """Show a page, until it has loaded."""
        self._loaded = False
        self.call("Page.navigate", url=url)
        while not self._loaded:
            self._read()

    def look(self, width: int, height: int = 900, *, dark: bool = False, paper: bool = False) -> None:
        """See pages on a screen of this size in pixels, light or dark, or as they are printed."""
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=width < 600,
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", media="print" if paper else "screen", features=[scheme])

    def run(self, script: str) -> Any:
        """The value of a JavaScript expression. Raises RuntimeError where it throws."""
        result = self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in result:
            raise RuntimeError(f"{script}: {result['exceptionDetails']}")
        return result["result"].get("value")

    def point(self, element: str) -> tuple[float, float]:
        """Move the mouse to the middle of what a JavaScript expression finds, and tell where in the window that is."""
        self.run(f"({element}).scrollIntoView({{block: 'center', behavior: 'instant'}})")
        box = self.run(
            f"(() => {{ const b = ({element}).getBoundingClientRect(); return [b.x, b.y, b.width, b.height] }})()"
        )
        x, y = box[0] + box[2] / 2, box[1] + box[3] / 2
        self.call("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)
        self._settle()
        return x, y

    def click(self, element: str) -> None:
        """Press the mouse on what a JavaScript expression finds, after it was scrolled into view."""
        x, y = self.point(element)
        for kind in ("mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)
        self._settle()

    def press(self, key: str, code: int) -> None:
        """Press and let go of one key, by its name and its virtual key code."""
        text = {"text": "\r"} if key == "Enter" else {}
        self.call("Input.dispatchKeyEvent", type="keyDown", key=key, code=key, windowsVirtualKeyCode=code, **text)
        self.call("Input.dispatchKeyEvent", type="keyUp", key=key, code=key, windowsVirtualKeyCode=code)
        self._settle()

    def _settle(self) -> None:
        """Wait until the page has handled what was done to it, and drawn itself."""
        self.run("new Promise(done => requestAnimationFrame(() => setTimeout(done)))")

    def type(self, text: str) -> None:
        """Write into what has the focus."""
        self.call("Input.insertText", text=text)

    def photograph(self, path: Path, *, whole: bool = True) -> None:
        """A picture of the page as PNG."""
        taken = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        path.write_bytes(base64.b64decode(taken["data"]))

    def close(self) -> None:
        """End the browser."""
        self._session = ""
        try:
            self.call("Browser.close")
            self._process.wait(20)
        finally:
            self._process.kill()
            self._process.wait()
            os.close(self._to)
            os.close(self._from)
