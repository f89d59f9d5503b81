"""Take the pictures in docs/images anew: every state of the extension page, on phone and desk."""

import base64
import logging
import struct
import sys
import zlib
from pathlib import Path

from playwright.sync_api import Browser, Page
from tests.browser.browsing import (
    DESK,
    HOW_TO_GET_IT,
    PHONE,
    browser_at,
    chromium,
    come_to,
    open_page,
)
from tests.browser.site import STATES, State, served

IMAGES = Path(__file__).resolve().parents[1] / "docs/images"
DARK = {"ends", "marked", "extended", "let-go-open"}
"""States that are kept in dark as well."""

FEW_COLOURS = """async (png) => {
  const blob = await (await fetch(`data:image/png;base64,${png}`)).blob();
  const image = await createImageBitmap(blob);
  const canvas = new OffscreenCanvas(image.width, image.height);
  const context = canvas.getContext("2d");
  context.drawImage(image, 0, 0);
  const {data} = context.getImageData(0, 0, image.width, image.height);
  const at = (i) => (data[i] << 16) | (data[i + 1] << 8) | data[i + 2], counts = new Map();
  for (let i = 0; i < data.length; i += 4) counts.set(at(i), (counts.get(at(i)) || 0) + 1);
  const byCount = [...counts.keys()].sort((one, other) => counts.get(other) - counts.get(one));
  const exact = new Set(byCount.slice(0, 64));
  for (let step = 1; ; step *= 2) {
    const near = (part) => Math.min(255, Math.round(part / step) * step);
    const rounded = (c) => (near(c >> 16) << 16) | (near((c >> 8) & 255) << 8) | near(c & 255);
    const places = new Map(), place = new Map();
    for (const colour of byCount) {
      const shown = exact.has(colour) ? colour : rounded(colour);
      if (!places.has(shown)) places.set(shown, places.size);
      place.set(colour, places.get(shown));
    }
    if (places.size <= 256) {
      let text = "";
      for (let i = 0; i < data.length; i += 4) text += String.fromCharCode(place.get(at(i)));
      return {width: image.width, pixels: btoa(text), colours: [...places.keys()]};
    }
  }
}"""
"""Lays a picture out as places in a table of at most 256 colours: a fifth of the size."""


def main() -> int:
    """Take them all; return the exit code."""
    executable = chromium()
    if not executable:
        print(HOW_TO_GET_IT, file=sys.stderr)
        return 1
    # One of the states is a fault of ours, whose trace belongs into a log.
    logging.getLogger("janitor.api").setLevel(logging.CRITICAL)
    for picture in IMAGES.glob("page-*.png"):
        picture.unlink()
    with browser_at(executable) as browser:
        desk = browser.new_page()
        for name, state in STATES.items():
            for width in (PHONE, DESK):
                for dark in (False, True) if name in DARK else (False,):
                    path = IMAGES / f"page-{name}-{width}{'-dark' if dark else ''}.png"
                    path.write_bytes(smaller(taken(browser, state, width, dark=dark), desk))
    return 0


def taken(browser: Browser, state: State, width: int, *, dark: bool) -> bytes:
    """Take one picture, the whole page."""
    page = open_page(browser, width, dark=dark)
    with served(state.site()) as site:
        come_to(page, site, state)
        picture = page.screenshot(full_page=True)
    page.context.close()
    return picture


def smaller(picture: bytes, page: Page) -> bytes:
    """Return a PNG with few colours; a page of text does not show the difference."""
    drawn = page.evaluate(FEW_COLOURS, base64.b64encode(picture).decode())
    pixels, width = base64.b64decode(drawn["pixels"]), drawn["width"]
    rows = [pixels[at : at + width] for at in range(0, len(pixels), width)]
    size = struct.pack(">IIBBBBB", width, len(rows), 8, 3, 0, 0, 0)
    table = b"".join(colour.to_bytes(3, "big") for colour in drawn["colours"])
    packed = zlib.compress(b"".join(b"\0" + row for row in rows), 9)
    parts = [(b"IHDR", size), (b"PLTE", table), (b"IDAT", packed), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in parts
    )


if __name__ == "__main__":
    raise SystemExit(main())
