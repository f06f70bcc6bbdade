"""Headless Chromium and what the tests ask it."""

import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import WebDriverWait

NAMES = {"browser": ("chromium", "chromium-browser", "google-chrome"), "driver": ("chromedriver",)}
FLAGS = ("--headless=new", "--disable-dev-shm-usage", "--hide-scrollbars", "--force-prefers-reduced-motion")
PATIENCE = 20  # seconds that a busy machine may take to show something


def missing() -> str:
    """Return what of browser and driver is not installed, "" if nothing is."""
    return " and ".join(names[0] for names in NAMES.values() if not _found(names))


def _found(names: tuple[str, ...]) -> str | None:
    return next(filter(None, map(shutil.which, names)), None)


@dataclass(frozen=True)
class Browser:
    """A page in headless Chromium, read as a visitor sees it: what is hidden has no text."""

    driver: webdriver.Chrome

    @classmethod
    def started(cls) -> "Browser":
        options = webdriver.ChromeOptions()
        options.binary_location = _found(NAMES["browser"]) or ""
        for flag in [*FLAGS, *(["--no-sandbox"] if os.geteuid() == 0 else [])]:
            options.add_argument(flag)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        return cls(webdriver.Chrome(options=options, service=Service(_found(NAMES["driver"]))))

    def quit(self) -> None:
        self.driver.quit()

    def reset(self) -> None:
        self.driver.get("about:blank")
        kept = {"origin": "file://", "storageTypes": "local_storage"}
        self.driver.execute_cdp_cmd("Storage.clearDataForOrigin", kept)
        self.window(1280, 900)
        self.scheme("light")
        self.console()
        self.requests()

    def window(self, width: int, height: int) -> None:
        """Set the size of the window in CSS pixels; one of a phone also gets a phone's viewport."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)

    def scheme(self, name: str) -> None:
        """Prefer "light" or "dark", as the system's settings do."""
        features = [{"name": "prefers-color-scheme", "value": name}]
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})

    def open(self, page: Path, view: str = "") -> None:
        """Open a file and wait until it is drawn."""
        self.driver.get("about:blank")  # a change after the "#" alone would open nothing
        self.driver.get(page.as_uri() + ("#" + view if view else ""))
        self.until("return document.documentElement.dataset.ready !== undefined")

    def until(self, script: str) -> None:
        """Wait until a script returns true."""
        WebDriverWait(self.driver, PATIENCE, 0.02).until(lambda driver: driver.execute_script(script))

    def script(self, text: str, *arguments: Any) -> Any:
        return self.driver.execute_script(text, *arguments)

    def one(self, selector: str) -> WebElement:
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def all(self, selector: str) -> list[WebElement]:
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def text(self, selector: str) -> str:
        return self.one(selector).text

    def texts(self, selector: str) -> list[str]:
        """Return the text of every element, read at once; parts of a picture have only their content."""
        script = "return [...document.querySelectorAll(arguments[0])].map((e) => e.innerText ?? e.textContent)"
        return list(self.script(script, selector))

    def click(self, selector: str) -> None:
        """Click in the middle of an element, as a mouse would: it must not be covered."""
        element = self.one(selector)
        self.script("arguments[0].scrollIntoView({block: 'center'})", element)
        element.click()

    def choose(self, name: str, value: str) -> None:
        """Choose a value of a row of radio buttons, or of a list where there are many."""
        self.click(f"#{name} input[value='{value}'], select#{name} option[value='{value}']")

    @property
    def view(self) -> str:
        """The part of the address after "#"."""
        return str(self.script("return location.hash.slice(1)"))

    def console(self) -> list[str]:
        """Return what was written to the console since the last call, errors of the page among it."""
        return [entry["message"] for entry in self.driver.get_log("browser")]  # type: ignore[no-untyped-call]

    def requests(self) -> list[str]:
        """Return the addresses asked for since the last call."""
        events = [json.loads(entry["message"])["message"] for entry in self.driver.get_log("performance")]  # type: ignore[no-untyped-call]
        return [e["params"]["request"]["url"] for e in events if e["method"] == "Network.requestWillBeSent"]
