"""The page in a real browser: wide and narrow, light and dark, on paper, and without a network."""

import shutil

import pytest

playwright_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

pytest_plugins = ["small_comparison"]

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium and no google-chrome on this system")

HEIGHT = 900


@pytest.fixture(scope="module")
def browser():
    with playwright_api.sync_playwright() as playwright:
        arguments = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        started = playwright.chromium.launch(executable_path=CHROMIUM, headless=True, args=arguments)
        yield started
        started.close()


@pytest.fixture
def opened(browser, compared):
    """A function that opens the page at a width and in a colour scheme, and what the browser said meanwhile."""
    contexts = []

    def open_page(width, scheme):
        context = browser.new_context(viewport={"width": width, "height": HEIGHT}, color_scheme=scheme)
        contexts.append(context)
        page = context.new_page()
        said, asked = [], []
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("request", lambda request: asked.append(request.url))
        page.goto((compared.folder / "page.html").as_uri(), wait_until="load")
        return page, said, asked

    yield open_page
    for context in contexts:
        context.close()


def channels(colour):
    """`rgb(12, 34, 56)` as three numbers; what follows (an opacity) is left out."""
    return [float(part) for part in colour[colour.index("(") + 1 : -1].split(",")[:3]]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 768, 1440])
def test_the_page_fits_asks_for_nothing_and_shows_every_picture(opened, compared, width, scheme):
    page, said, asked = opened(width, scheme)
    assert said == []
    assert [url for url in asked if not url.startswith("data:")] == [(compared.folder / "page.html").as_uri()]
    root = page.evaluate("[document.documentElement.scrollWidth, document.documentElement.clientWidth]")
    assert root[0] <= root[1], f"{root[0]} px of content in {root[1]} px"
    pictures = page.evaluate("Array.from(document.images, image => image.complete && image.naturalWidth > 0)")
    wrong = compared.record.difference.n10 + compared.record.difference.n01
    assert len(pictures) > 0
    assert len(pictures) <= 3 * wrong  # each with both maps at most
    assert all(pictures)


@pytest.mark.parametrize("width", [360, 768, 1440])
def test_the_verdict_stands_in_the_first_screen(opened, compared, width):
    page, _, _ = opened(width, "light")
    heading = page.locator("h1").first
    box = heading.bounding_box()
    assert box["y"] >= 0
    assert box["y"] + box["height"] <= HEIGHT
    assert 0 <= box["x"] < box["x"] + box["width"] <= width
    verdict = {"yes": "yes", "no": "no", "undecided": "undecided"}[compared.record.verdict]
    assert verdict in page.locator("body").inner_text()[:600].lower()


def test_dark_is_dark_and_light_is_light(opened):
    for scheme, is_light in (("light", True), ("dark", False)):
        page, _, _ = opened(768, scheme)
        back = page.evaluate("getComputedStyle(document.body).backgroundColor")
        if back in ("rgba(0, 0, 0, 0)", "transparent"):
            back = page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
        text = page.evaluate("getComputedStyle(document.body).color")
        assert (sum(channels(back)) > sum(channels(text))) == is_light


def test_the_page_prints_to_a_pdf(opened):
    page, _, _ = opened(1024, "light")
    printed = page.pdf(format="A4")
    assert printed.startswith(b"%PDF-")
    assert len(printed) > 10_000


@pytest.mark.parametrize("width", [360, 1440])
def test_no_label_of_a_chart_is_cut_by_the_edge_of_the_window(opened, width):
    page, _, _ = opened(width, "light")
    cut = page.evaluate(
        """width => Array.from(document.querySelectorAll("svg text"))
            .map(text => [text.textContent, text.getBoundingClientRect()])
            .filter(([, box]) => box.width > 0 && (box.left < 0 || box.right > width))
            .map(([content]) => content)""",
        width,
    )
    assert cut == []
