"""Pictures of what people see: the terminal, the web pages and the report, all of one run of the demo's plan.

`make screenshots` runs it. The README's two go into docs/pictures, which is committed; all others into a folder of
reports/. Needs Debian's Chromium (`apt-get install chromium`). Usage: python docs/screenshots.py FOLDER
"""

import asyncio
import contextlib
import io
import sys
import tempfile
from pathlib import Path

from burstline.client.connection import Access, Connection, connect
from burstline.client.picking import find_run
from burstline.client.running.children import Children
from burstline.client.running.demonstration import demo_files
from burstline.client.running.progress import picture
from burstline.server.app import RunningServer, running
from burstline.server.settings import ServerSettings
from burstline.v1 import run_service_pb2 as runs
from PIL import Image
from playwright.async_api import Browser, Page, async_playwright
from rich.console import Console
from rich.text import Text

CHROMIUM = Path("/usr/bin/chromium")
ARGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
PICTURES = Path(__file__).parent / "pictures"
LOOKS = (("light", "light", 1200), ("dark", "dark", 1200), ("phone", "light", 390))
COLUMNS = 84
SVG = """<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {terminal_width} {terminal_height}" role="img">
<title>burstline run, while a quota binds</title>
<style>text {{ font: {char_height}px ui-monospace, Menlo, Consolas, "DejaVu Sans Mono", monospace; white-space: pre; }}
{styles}</style>
<defs><clipPath id="{unique_id}-clip-terminal"><rect width="{terminal_width}" height="{terminal_height}"/></clipPath>
{lines}</defs>
<rect width="100%" height="100%" rx="8" fill="#14181d"/>
<g transform="translate(12, 10) scale(.94)" clip-path="url(#{unique_id}-clip-terminal)">{backgrounds}
<g class="{unique_id}-matrix">{matrix}</g></g>
</svg>
"""
"""As rich's own, without the window around it and without the font that it would ask a network for."""


def say(path: Path) -> None:
    """Say what was made."""
    sys.stdout.write(f"{path} ({path.stat().st_size / 1024:,.0f} KiB)\n")


async def recorded(connection: Connection, name: str) -> list[runs.RunProgress]:
    """Return everything that a run's watcher is told, to its end."""
    return [progress async for progress in connection.watch(name)]


def terminal(seen: list[runs.RunProgress], path: Path) -> None:
    """Draw what the terminal showed when a quota bound most."""
    binding = [one for one in seen if any(use.binding for use in one.quota_uses)]
    if not binding:
        sys.exit("no quota bound: this machine was too busy; run it again")
    moment = max(binding, key=lambda one: (one.sent_count_per_second, one.sent_count))
    console = Console(record=True, width=COLUMNS, file=io.StringIO(), force_terminal=True, color_system="truecolor")
    console.print(Text.assemble(("$ ", "dim"), "burstline run plan.yaml"))
    console.print(picture(moment, COLUMNS))
    path.write_text(console.export_svg(code_format=SVG, unique_id="burstline"), encoding="utf-8")
    say(path)


async def pages(browser: Browser, server: RunningServer, run: str, folder: Path) -> None:
    """Take the web pages: the run live, as soon as a quota binds, and the lists."""
    page = await browser.new_page(viewport={"width": 1100, "height": 800})
    base = f"http://{server.http_address}"
    await page.goto(f"{base}/runs/{run}")
    await page.get_by_text("binds").first.wait_for(timeout=30_000)
    await shot(page, folder / "live.png")
    for name in ("workers", "quotas", ""):
        if name == "quotas":
            await page.goto(f"{base}/runs/{run}")
            await page.get_by_text("Open the report").wait_for(timeout=60_000)
        await page.goto(f"{base}/{name}")
        await shot(page, folder / f"{name or 'runs'}.png")
    await page.close()


async def shot(page: Page, path: Path) -> None:
    """Take a whole page."""
    await page.screenshot(path=path, full_page=True)
    say(path)


async def report(browser: Browser, file: Path, folder: Path) -> None:
    """Take the report as its readers see it: light, dark, on a phone, printed; and its top for the README."""
    for name, scheme, width in LOOKS:
        page = await browser.new_page(
            color_scheme="dark" if scheme == "dark" else "light", viewport={"width": width, "height": 900}
        )
        await page.goto(file.as_uri())
        await page.wait_for_selector("html[data-drawn=true]", timeout=60_000)
        await shot(page, folder / f"report-{name}.png")
        if name == "light":
            await page.pdf(path=folder / "report-print.pdf", format="A4")
            say(folder / "report-print.pdf")
            top = io.BytesIO(
                await page.screenshot(clip={"x": 60, "y": 60, "width": 1080, "height": 930}, full_page=True)
            )
            picture_of = Image.open(top).convert("RGB").quantize(64, dither=Image.Dither.NONE)
            picture_of.save(PICTURES / "report.png", optimize=True)
            say(PICTURES / "report.png")
        await page.close()


async def main(folder: Path) -> None:
    """Run the demo's plan once, and take everything."""
    async with contextlib.AsyncExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="burstline-")))
        plan, account = stack.enter_context(demo_files())
        children = await stack.enter_async_context(Children())
        emulator = children.start("emulate", "--account", str(account), "--listen", "127.0.0.1:0")
        target = await children.address(emulator, "the emulator")
        settings = ServerSettings("127.0.0.1:0", "127.0.0.1:0", f"sqlite:///{scratch}/runs.db")
        server = await stack.enter_async_context(running(settings))
        children.start("work", "--server", server.grpc_address, "--processes", "2")
        connection = await stack.enter_async_context(connect(Access(server.grpc_address)))
        driver = await stack.enter_async_context(async_playwright())
        browser = await driver.chromium.launch(executable_path=CHROMIUM, args=ARGS)
        while len(await connection.list_workers()) < 2:  # noqa: ASYNC110  # nothing tells us
            await asyncio.sleep(0.2)
        file = folder / "report.html"
        words = ("run", str(plan), "--target", target, "--account", str(account), "--server", server.grpc_address)
        run = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "burstline.client", *words, "--html", str(file), "--quiet"
        )
        while not (await connection.list_runs(1)).runs:  # noqa: ASYNC110
            await asyncio.sleep(0.1)
        name = (await find_run(connection, "last")).name
        seen, _ = await asyncio.gather(
            recorded(connection, name), pages(browser, server, name.removeprefix("runs/"), folder)
        )
        await run.wait()
        terminal(seen, PICTURES / "terminal.svg")
        await report(browser, file.resolve(), folder)
        await browser.close()


if __name__ == "__main__":
    if not CHROMIUM.exists():
        sys.exit(f"no {CHROMIUM}: apt-get install chromium")
    wanted = Path(sys.argv[1])
    for place in (wanted, PICTURES):
        place.mkdir(parents=True, exist_ok=True)
    asyncio.run(main(wanted))
