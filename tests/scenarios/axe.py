"""axe-core's look at a page: what would keep a reader with a screen reader, a keyboard or weak eyes out."""

from importlib.resources import files
from typing import Any

RUN = "async () => (await axe.run(document)).violations.map((one) => `${one.impact} ${one.id}: ${one.nodes[0].html}`)"
OPEN_ALL = "document.querySelectorAll('details').forEach((one) => { one.open = true; })"


def axe_script() -> str:
    """Return axe-core's script; a page's policy does not keep out what a debugger evaluates."""
    return (files("axe_playwright_python") / "axe.min.js").read_text(encoding="utf-8")


def violations(page: Any) -> list[str]:
    """Return what axe-core finds wrong with a page of Playwright's synchronous side, the folded parts open."""
    page.evaluate(OPEN_ALL)
    page.evaluate(axe_script())
    found: list[str] = page.evaluate(RUN)
    return found


async def violations_async(page: Any) -> list[str]:
    """Return the same of a page of Playwright's asynchronous side."""
    await page.evaluate(OPEN_ALL)
    await page.evaluate(axe_script())
    found: list[str] = await page.evaluate(RUN)
    return found
