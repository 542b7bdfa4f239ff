"""A real Chromium, and what it sees of a page."""

import base64
import contextlib
import re

from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service

CHROMIUM = "/usr/bin/chromium"
DRIVER = "/usr/bin/chromedriver"


class Browser(webdriver.Chrome):
    """scripts: False: pages' scripts are not run."""

    def __init__(self, scripts=True, width=1280, height=900):
        options = Options()
        options.binary_location = CHROMIUM

        for arg in ("--headless=new", "--no-sandbox", "--disable-gpu",
                    "--disable-dev-shm-usage", "--hide-scrollbars",
                    "--force-device-scale-factor=1", "--no-first-run",
                    "--disable-background-networking", "--lang=en-GB"):
            options.add_argument(arg)

        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})

        if not scripts:
            options.add_experimental_option("prefs", {
                "profile.managed_default_content_settings.javascript": 2})

        super().__init__(options=options, service=Service(DRIVER))
        self.size(width, height)

    def size(self, width, height):
        self.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {
            "width": width, "height": height, "deviceScaleFactor": 1,
            "mobile": width < 600})

    def media(self, **features):
        """prefers_color_scheme="dark" and the like."""
        self.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [
            {"name": name.replace("_", "-"), "value": value}
            for name, value in features.items()]})

    def picture(self, height=None):
        """The page as PNG, as far down as it is said, or all of it."""
        box = self.execute_cdp_cmd("Page.getLayoutMetrics", {})
        box = box["cssContentSize"]
        shot = self.execute_cdp_cmd("Page.captureScreenshot", {
            "captureBeyondViewport": True,
            "clip": {"x": 0, "y": 0, "width": box["width"],
                     "height": height or box["height"], "scale": 1}})

        return base64.b64decode(shot["data"])

    def tree(self):
        """[(role, name)] of what a screen reader finds."""
        nodes = self.execute_cdp_cmd("Accessibility.getFullAXTree", {})

        return [(n["role"]["value"], n.get("name", {}).get("value", ""))
                for n in nodes["nodes"] if not n.get("ignored")]

    def complaints(self):
        return [e["message"] for e in self.get_log("browser")
                if "favicon" not in e["message"]]


@contextlib.contextmanager
def browser(**more):
    b = Browser(**more)

    try:
        yield b
    finally:
        b.quit()


def rgb(text):
    """"rgb(1, 2, 3)", "rgba(1, 2, 3, 1)" """
    return tuple(float(v) for v in re.findall(r"[\d.]+", text))


def luminance(colour):
    parts = [v / 255 for v in colour[:3]]
    r, g, b = (v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4
               for v in parts)

    return 0.2126 * r + 0.7152 * g + 0.0722 * b


def contrast(one, other):
    """WCAG 2.2's, of two colours of CSS."""
    a, b = sorted((luminance(rgb(one)), luminance(rgb(other))), reverse=True)

    return (a + 0.05) / (b + 0.05)
