"""report.html in Debian's Chromium: nothing asked of any network, nothing said in the console, every chart drawn."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal

import pytest
from axe import violations
from burstline.core.load.plan import Constant, Goal, Pause, Phase, Ramp
from burstline.core.quota.quotas import Account, Bucket
from burstline.server.judging.judging import RunRecord, judge
from burstline.server.pages import palette
from burstline.server.pages.report import report_html
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

CHROMIUM = Path("/usr/bin/chromium")
QUIET_ARGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
CHARTS = ["rates", "latency", "throttles", "distribution", "concurrency", "lateness"]
LOAD = (Phase("steady", 5.0, Constant(300.0)), Phase("rest", 1.0, Pause()), Phase("ramp", 4.0, Ramp(50, 200)))
STAGE = Account(stages={"prod": Bucket(100, 100)}, declared=frozenset({"apigateway.stages.prod"}))

pytestmark = pytest.mark.skipif(
    not CHROMIUM.exists(), reason=f"no {CHROMIUM} here: `apt-get install chromium` brings these tests to life"
)

CONTRAST = """() => {
  const numbers = (colour) => colour.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => [r, g, b].map((v) => v / 255)
    .map((v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, at) => sum + v * [0.2126, 0.7152, 0.0722][at], 0);
  const ground = (element) => {
    for (; element; element = element.parentElement) {
      const colour = numbers(getComputedStyle(element).backgroundColor);
      if (colour.length < 4 || colour[3] === 1) return colour;
    }
    return [255, 255, 255];
  };
  const poor = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || ["SCRIPT", "STYLE", "NOSCRIPT"].includes(element.tagName)) continue;
    const [a, b] = [light(numbers(getComputedStyle(element).color)), light(ground(element))].sort((x, y) => y - x);
    if ((a + 0.05) / (b + 0.05) < 4.5) poor.push(walker.currentNode.data.trim().slice(0, 40));
  }
  return poor;
}"""

DRAWN = """(name) => {
  const plot = Bokeh.documents[0].get_model_by_name(name);
  const counts = {};
  for (const renderer of plot.renderers) {
    if (renderer.data_source === undefined) continue;
    const data = renderer.data_source.data;
    const columns = data instanceof Map ? [...data.values()] : Object.values(data);
    const known = columns.map((column) => [...column].filter((value) => Number.isFinite(value)).length);
    counts[renderer.name] = Math.min(...known);
  }
  const view = Bokeh.index.get_by_id(plot.id);
  const canvas = view.export("png").canvas;
  const pixels = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
  const colours = new Set();
  for (let at = 0; at < pixels.length; at += 4)
    if (pixels[at + 3] === 255) colours.add((pixels[at] << 16) | (pixels[at + 1] << 8) | pixels[at + 2]);
  return { counts, colours: [...colours].map((one) => "#" + one.toString(16).padStart(6, "0")) };
}"""


@pytest.fixture
def report_file(make_run: Callable[..., RunRecord], tmp_path: Path) -> Path:
    """A report of a run that a stage throttled, as a file."""
    report: dict[str, Any] = json.loads(json.dumps(judge(make_run(LOAD, STAGE, goal=Goal(300.0)))))
    path = tmp_path / "report.html"
    path.write_text(report_html(report), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, headless=True, args=QUIET_ARGS)
        yield browser
        browser.close()


class Visit:
    """A page that is open, with everything it said and asked for."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.said: list[str] = []
        self.asked: list[str] = []
        page.on("console", lambda message: self.said.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: self.said.append(f"error: {error}"))
        page.on("request", lambda request: self.asked.append(request.url))


Open = Callable[..., Visit]


@pytest.fixture
def visit(browser: Browser, report_file: Path) -> Iterator[Open]:
    """Return what opens the report and waits until it is drawn."""
    contexts: list[BrowserContext] = []

    def visiting(*, scheme: Literal["light", "dark"] = "light", width: int = 1200) -> Visit:
        contexts.append(browser.new_context(color_scheme=scheme, viewport={"width": width, "height": 900}))
        seen = Visit(contexts[-1].new_page())
        seen.page.goto(report_file.as_uri())
        seen.page.wait_for_selector("html[data-drawn=true]", timeout=60_000)
        return seen

    yield visiting
    for context in contexts:
        context.close()


def wait_until(page: Page, condition: str) -> None:
    """Wait for a condition in the page, asked from outside: its policy forbids to compile one inside."""
    for _ in range(100):
        if page.evaluate(condition):
            return
        page.wait_for_timeout(50)
    raise AssertionError(condition)


def test_it_asks_nobody_and_complains_of_nothing(visit: Open, report_file: Path) -> None:
    seen = visit()
    seen.page.wait_for_timeout(300)
    assert [url for url in seen.asked if not url.startswith("data:")] == [report_file.as_uri()]
    assert [text for text in seen.said if not text.startswith("info: [bokeh")] == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_chart_is_drawn_and_all_text_readable_in_the_readers_colours(
    visit: Open, scheme: Literal["light", "dark"]
) -> None:
    page = visit(scheme=scheme).page
    lines = {"rates": palette.THROTTLED, "latency": palette.P99, "throttles": palette.THROTTLED,
             "distribution": palette.ACCEPTED, "concurrency": palette.SENT, "lateness": palette.SENT}  # fmt: skip
    assert page.eval_on_selector_all(".plot", "all => all.map((one) => one.id)") == CHARTS
    for name in CHARTS:
        drawn = page.evaluate(DRAWN, name)
        assert drawn["counts"]
        assert min(drawn["counts"].values()) >= 1, drawn["counts"]
        assert lines[name][scheme == "dark"] in drawn["colours"], name
    # every text, the folded ones too, has the contrast that WCAG 2.2 AA asks for
    page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    assert page.evaluate(CONTRAST) == []
    assert violations(page) == []


def test_a_scheme_that_changes_is_followed(visit: Open) -> None:
    page = visit().page
    colour = "Bokeh.documents[0].get_model_by_name('rates-throttled').glyph.line_color.value"
    assert page.evaluate(colour) == palette.THROTTLED[0]
    page.emulate_media(color_scheme="dark")
    wait_until(page, f"{colour} === '{palette.THROTTLED[1]}'")


def test_nothing_is_wider_than_the_screen_also_when_it_is_turned(visit: Open) -> None:
    page = visit(width=390).page
    for width in (390, 320, 844, 1200):
        page.set_viewport_size({"width": width, "height": 800})
        wait_until(page, f"Math.abs(document.querySelector('#rates > *').clientWidth - {min(width, 1056)}) <= 60")
        # the charts follow a turn of the screen a moment later: what counts is where they come to rest
        wait_until(page, f"document.documentElement.scrollWidth <= {width}")


def test_paper_gets_light_pictures_of_the_charts_even_from_a_dark_screen(visit: Open, tmp_path: Path) -> None:
    page = visit(scheme="dark").page
    page.emulate_media(media="print", color_scheme="dark")
    sizes = page.eval_on_selector_all("img.print-only", "all => all.map((one) => [one.naturalWidth, one.clientWidth])")
    assert len(sizes) == len(CHARTS)
    assert all(natural > 300 and shown > 300 for natural, shown in sizes)
    assert page.locator(".plot").first.is_visible() is False
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert page.pdf(path=tmp_path / "report.pdf", format="A4").startswith(b"%PDF")


def test_the_keyboard_reaches_tables_and_commands(visit: Open) -> None:
    page = visit().page
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    table = page.locator("details.data").first
    table.locator("summary").focus()
    page.keyboard.press("Enter")
    assert table.get_attribute("open") is not None
    assert table.locator("tbody tr").count() >= 10
    button = page.locator("button.copy").first
    button.focus()
    page.keyboard.press("Enter")
    wait_until(page, "document.querySelector('button.copy').textContent === 'Copied'")


def test_everything_is_named_for_who_cannot_see_it(visit: Open) -> None:
    page = visit().page
    nameless = page.evaluate(
        """() => [...document.querySelectorAll("img, [role=img], [role=region], nav, button, section")]
          .filter((one) => !(one.alt || one.getAttribute("aria-label") || one.textContent.trim()))
          .map((one) => one.outerHTML.slice(0, 80))"""
    )
    assert nameless == []
    assert page.evaluate("[...document.querySelectorAll('th')].every((one) => one.scope)")
    assert page.evaluate("document.documentElement.lang") == "en"
