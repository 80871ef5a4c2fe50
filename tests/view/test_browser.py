"""The report in a real browser: nothing asked of the network, no errors, readable on a phone and in the dark."""

import itertools
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from levers.view import write_report

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
CHROMIUM = shutil.which("chromium")
ARGUMENTS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine"),
]

# Contrast ratio by WCAG 2.2: every element that holds text, against the first opaque background behind it.
CONTRASTS = """() => {
  const channel = (v) => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
  const parse = (text) => text.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
  const behind = (node) => {
    for (; node; node = node.parentElement) {
      const found = parse(getComputedStyle(node).backgroundColor);
      if (found.length < 4 || found[3] === 1) return found;
    }
    return [255, 255, 255];
  };
  const found = [];
  for (const node of document.querySelectorAll('body *')) {
    const own = [...node.childNodes].some((child) => child.nodeType === 3 && child.textContent.trim());
    if (!own || node.closest('script, title')) continue;
    const style = getComputedStyle(node);
    const front = light(parse(node.closest('svg') ? style.fill : style.color)), back = light(behind(node));
    const ratio = (Math.max(front, back) + 0.05) / (Math.min(front, back) + 0.05);
    found.push([ratio, node.tagName + '.' + (node.getAttribute('class') || '')]);
  }
  return found.sort((a, b) => a[0] - b[0]);
}"""


class Opened:
    """A page with what it said and asked for."""

    def __init__(self, context: Any, report: Path) -> None:
        self.page = context.new_page()
        self.said: list[str] = []
        self.asked: list[str] = []
        self.report = report.as_uri()
        self.page.on("console", lambda message: self.said.append(message.text))
        self.page.on("pageerror", lambda error: self.said.append(str(error)))
        self.page.route("**/*", self._route)
        self.page.goto(self.report)

    def _route(self, route: Any) -> None:
        if route.request.url == self.report:
            route.continue_()
        else:
            self.asked.append(route.request.url)
            route.abort()


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with sync_api.sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield started
        started.close()


@pytest.fixture(scope="module")
def report(run, cases, tmp_path_factory) -> Path:
    return write_report(run, cases, tmp_path_factory.mktemp("report") / "report.html")


@pytest.fixture
def opened(browser, report, request) -> Iterator[Opened]:
    options = {"viewport": {"width": 1280, "height": 900}, **getattr(request, "param", {})}
    context = browser.new_context(**options)
    yield Opened(context, report)
    context.close()


def test_nothing_is_asked_and_nothing_goes_wrong(opened):
    page = opened.page
    page.locator("details").evaluate_all("all => all.forEach(each => each.open = true)")
    page.locator("nav a").last.click()
    page.wait_for_load_state("networkidle")
    assert opened.asked == [] and opened.said == []
    assert page.title() == "support: levers report"
    assert page.locator("img").count() == 0


def test_the_policy_stops_what_a_hostile_answer_would_do(opened):
    page = opened.page
    assert page.evaluate("fetch('http://127.0.0.1:9/').then(() => 'went', () => 'stopped')") == "stopped"
    page.evaluate(
        "() => { const made = document.createElement('script'); made.textContent = 'document.title = 1';"
        " document.body.append(made); }"
    )
    assert page.title() == "support: levers report" and opened.asked == []
    assert any("Content Security Policy" in each for each in opened.said)


def test_landmarks_and_headings(opened):
    page = opened.page
    counts = {name: page.get_by_role(name).count() for name in ("banner", "main", "navigation", "contentinfo")}
    assert counts == {"banner": 1, "main": 1, "navigation": 1, "contentinfo": 1}
    levels = page.locator("h1, h2, h3, h4").evaluate_all("all => all.map(each => Number(each.tagName[1]))")
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels))
    assert page.get_by_role("region").count() >= 9
    assert page.get_by_role("img", name="Share of cases that pass after each step").count() == 1


def test_the_filter_shows_the_cases_that_need_it(opened):
    page = opened.page
    button = page.get_by_role("button", name="retrieval")
    wanted = int(button.inner_text().split()[-1])
    button.click()
    shown = page.locator("details.case:visible")
    assert 0 < wanted < page.locator("details.case").count() and shown.count() == wanted
    assert all("retrieval" in each.inner_text() for each in shown.locator("summary").all())
    assert button.get_attribute("aria-pressed") == "true" and page.locator("#shown").inner_text() == "3 cases shown"
    page.get_by_role("button", name="all").click()
    assert shown.count() == page.locator("details.case").count()


@pytest.mark.parametrize("opened", [{"java_script_enabled": False}], indirect=True)
def test_without_scripts_all_cases_are_there(opened):
    assert opened.page.locator("details.case:visible").count() == 10
    assert opened.page.locator("#filter").is_hidden()


@pytest.mark.parametrize(
    "opened", [{"viewport": {"width": width, "height": 740}} for width in (360, 700, 1000)], indirect=True
)
def test_no_width_scrolls_sideways(opened):
    page = opened.page
    page.locator("details").evaluate_all("all => all.forEach(each => each.open = true)")
    assert page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") == 0
    outside = page.locator("main *").evaluate_all(
        "all => all.filter(each => !each.closest('.scroll') && !each.closest('.unseen') && !each.closest('svg')"
        " && each.getBoundingClientRect().right > innerWidth + 1).map(each => each.outerHTML.slice(0, 90))"
    )
    assert outside == []
    sizes = page.locator(".chart:visible text").evaluate_all(
        "all => all.map(each => each.getBoundingClientRect().height)"
    )
    assert sizes and min(sizes) >= 10


@pytest.mark.parametrize("opened", [{"color_scheme": scheme} for scheme in ("light", "dark")], indirect=True)
def test_all_text_has_contrast(opened):
    opened.page.locator("details").evaluate_all("all => all.forEach(each => each.open = true)")
    found = opened.page.evaluate(CONTRASTS)
    assert len(found) > 200
    assert [each for each in found if each[0] < 4.5] == []


def test_dark_is_dark(browser, report):
    colours = []
    for scheme in ("light", "dark"):
        context = browser.new_context(color_scheme=scheme)
        colours.append(Opened(context, report).page.evaluate("getComputedStyle(document.body).backgroundColor"))
        context.close()
    assert colours == ["rgb(250, 249, 246)", "rgb(21, 22, 26)"]


def test_printing_opens_everything(opened):
    page = opened.page
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.locator("details:not([open])").count() == 0
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert page.locator("details[open]").count() == 0
    assert len(page.pdf()) > 20_000
