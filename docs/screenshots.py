"""Pictures of a report, as a reader sees it: light, dark, on a phone, printed. `make screenshots` runs it.

Needs Debian's Chromium (`apt-get install chromium`). Usage: python docs/screenshots.py REPORT.html FOLDER
"""

import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

CHROMIUM = Path("/usr/bin/chromium")
ARGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
LOOKS = (("light", "light", 1200), ("dark", "dark", 1200), ("phone", "light", 390))


def main(report: Path, folder: Path) -> None:
    """Write light.png, dark.png, phone.png and print.pdf of a report into a folder."""
    if not CHROMIUM.exists():
        sys.exit(f"no {CHROMIUM}: apt-get install chromium")
    folder.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=ARGS)
        for name, scheme, width in LOOKS:
            page = browser.new_page(
                color_scheme="dark" if scheme == "dark" else "light", viewport={"width": width, "height": 900}
            )
            page.goto(report.resolve().as_uri())
            page.wait_for_selector("html[data-drawn=true]", timeout=60_000)
            page.screenshot(path=folder / f"{name}.png", full_page=True)
            sys.stdout.write(f"{folder / name}.png\n")
            if name == "light":
                page.pdf(path=folder / "print.pdf", format="A4")
                sys.stdout.write(f"{folder / 'print.pdf'}\n")
            page.close()
        browser.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
