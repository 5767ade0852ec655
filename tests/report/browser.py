"""A real browser, driven over its debugging pipe with the standard library alone."""

import base64
import fcntl
import itertools
import json
import os
import select
import shutil
import subprocess
import sys
from typing import Any

from tests.waiting import HUNG_SECONDS

NAMES = ("chromium", "chromium-browser", "google-chrome")


def installed() -> str | None:
    """The path of a Chromium; None where there is none."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)


class Browser:
    """One page of a headless Chromium; `events` holds all that it told."""

    def __init__(self, profile: Any) -> None:
        self.numbers, self.events, self.buffer, self.session = (
            itertools.count(1),
            list[Any](),
            b"",
            None,
        )
        read, self.writing = os.pipe()
        self.reading, write = os.pipe()
        command: Any = [
            *(installed(), "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run"),
            *("--disable-dev-shm-usage", "--remote-debugging-pipe", f"--user-data-dir={profile}"),
        ]
        # It reads from descriptor 3 and writes to 4; the copies are out of their way, and so is
        # what subprocess itself opens, as another process puts them there.
        ends = [fcntl.fcntl(end, fcntl.F_DUPFD, 10) for end in (read, write)]
        move = "import os, sys; a, b, *command = sys.argv[1:]; os.dup2(int(a), 3); "
        move += "os.dup2(int(b), 4); os.execv(command[0], command)"
        self.process = subprocess.Popen(
            [sys.executable, "-c", move, *map(str, ends), *command],
            pass_fds=ends,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for end in (read, write, *ends):
            os.close(end)
        target = self("Target.createTarget", url="about:blank")["targetId"]
        self.session = self("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self(f"{domain}.enable")

    def __call__(self, method: Any, **parameters: Any) -> Any:
        number = next(self.numbers)
        message = {"id": number, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.writing, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._read()
            if answer.get("id") == number:
                assert "error" not in answer, answer
                return answer["result"]
            self.events.append(answer)

    def _read(self) -> Any:
        while b"\0" not in self.buffer:
            ready, _, _ = select.select([self.reading], [], [], HUNG_SECONDS)
            assert ready, "the browser does not answer"
            part = os.read(self.reading, 1 << 20)
            assert part, "the browser has ended"
            self.buffer += part
        text, _, self.buffer = self.buffer.partition(b"\0")
        return json.loads(text)

    def open(self, path: Any, fragment: str = "") -> None:
        # Another page between, as a fragment alone would load nothing.
        for address in ("about:blank", path.as_uri() + fragment):
            self.events.clear()
            self("Page.navigate", url=address)
            while not any(event.get("method") == "Page.loadEventFired" for event in self.events):
                self.events.append(self._read())

    def run(self, script: str) -> Any:
        answer = self("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def key(self, name: str, code: Any = None) -> None:
        text = {"Enter": "\r", "Space": " "}.get(name)
        key = {"Space": " "}.get(name, name)
        codes = {"Tab": 9, "Enter": 13, "Escape": 27, "Space": 32, "ArrowRight": 39}
        codes |= {"ArrowDown": 40, "ArrowLeft": 37, "ArrowUp": 38}
        facts = {"key": key, "code": code or name, "windowsVirtualKeyCode": codes[name]}
        self("Input.dispatchKeyEvent", type="keyDown", **facts, **({"text": text} if text else {}))
        self("Input.dispatchKeyEvent", type="keyUp", **facts)
        self.settle()

    def point(self, selector: Any, click: bool = False) -> None:
        self.run(f"document.querySelector({json.dumps(selector)}).scrollIntoView({{block:'center',"
                 "behavior:'instant'})")  # fmt: skip
        self.settle()
        x, y = self.run(
            f"(() => {{ const r = document.querySelector({json.dumps(selector)})"
            ".getBoundingClientRect(); return [r.x + r.width / 2, r.y + r.height / 2]; })()"
        )
        self("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)
        for kind in ("mousePressed", "mouseReleased") if click else ():
            self("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)
        self.settle()

    def settle(self) -> None:
        """Wait until what was typed or pointed at is drawn, which a busy machine does late."""
        self.run("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")

    def resize(self, width: Any, height: Any, mobile: bool = False) -> None:
        self(
            "Emulation.setDeviceMetricsOverride",
            **{"width": width, "height": height, "deviceScaleFactor": 1, "mobile": mobile},
        )

    def prefer(self, scheme: str) -> None:
        feature = {"name": "prefers-color-scheme", "value": scheme}
        self("Emulation.setEmulatedMedia", features=[feature])
        self.settle()

    def screenshot(self, path: Any, whole: bool = False) -> None:
        shot = self("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        path.write_bytes(base64.b64decode(shot["data"]))

    def complaints(self) -> list[Any]:
        """Exceptions, console errors and warnings, and what the security policy refused."""
        actual = []
        for event in self.events:
            method, facts = event.get("method"), event.get("params", {})
            if method == "Runtime.exceptionThrown":
                actual.append(facts["exceptionDetails"])
            elif method == "Runtime.consoleAPICalled" and facts["type"] in ("error", "warning"):
                actual.append(facts)
            elif method == "Log.entryAdded" and facts["entry"]["level"] in ("error", "warning"):
                actual.append(facts["entry"])
        return actual

    def requests(self) -> list[Any]:
        """Every address that was asked for, but those inside the page."""
        asked = [
            event["params"]["request"]["url"]
            for event in self.events
            if event.get("method") == "Network.requestWillBeSent"
        ]
        return [url for url in asked if not url.startswith("data:")]

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self.reading)
        os.close(self.writing)
