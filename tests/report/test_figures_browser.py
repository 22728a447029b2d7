"""The page of figures in a real browser: narrow and wide, light and dark, without a network."""

import shutil

import pytest
from made_figures import made_figures

from econet.report.figures_page import write_figures

playwright_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium and no google-chrome on this system")


@pytest.fixture(scope="module")
def browser():
    with playwright_api.sync_playwright() as playwright:
        arguments = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        started = playwright.chromium.launch(executable_path=CHROMIUM, headless=True, args=arguments)
        yield started
        started.close()


@pytest.fixture(scope="module")
def address(clothes_data, tmp_path_factory) -> str:
    return write_figures(tmp_path_factory.mktemp("page"), made_figures(clothes_data.test.pixels[:6])).as_uri()


@pytest.fixture
def opened(browser, address):
    """A function that opens the page at a width and in a colour scheme, and what the browser asked for and said."""
    contexts = []

    def open_page(width, scheme="light"):
        context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
        contexts.append(context)
        page = context.new_page()
        said, asked = [], []
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("request", lambda request: asked.append(request.url))
        page.goto(address, wait_until="load")
        return page, said, asked

    yield open_page
    for context in contexts:
        context.close()


@pytest.mark.parametrize("width", [360, 1280])
def test_the_page_fits_asks_for_nothing_and_shows_every_picture(opened, address, width):
    page, said, asked = opened(width)
    assert said == []
    assert [url for url in asked if not url.startswith("data:")] == [address]
    inner, outer = page.evaluate("[document.documentElement.scrollWidth, document.documentElement.clientWidth]")
    assert inner <= outer, f"{inner} px of content in {outer} px"
    assert page.evaluate("Array.from(document.images).every(image => image.complete && image.naturalWidth > 0)")
    sizes = page.evaluate("Array.from(document.querySelectorAll('.filters img'), image => image.clientWidth)")
    assert min(sizes) >= 40, "filters are drawn large"
    beyond = page.evaluate(
        """width => Array.from(document.querySelectorAll("body *"))
            .filter(each => each.getBoundingClientRect().right > width + 1).length""",
        width,
    )
    assert beyond == 0


def test_the_columns_stand_side_by_side_where_there_is_room(opened):
    tops = {}
    for width in (360, 1280):
        page, _, _ = opened(width)
        tops[width] = page.evaluate("Array.from(document.querySelectorAll('.filters'), each => each.offsetTop)")
    assert tops[1280][0] == tops[1280][1]
    assert tops[360][0] < tops[360][1]


def test_a_bar_is_as_long_as_its_probability(opened):
    page, _, _ = opened(1280)
    shares = page.evaluate(
        "Array.from(document.querySelector('.answers ol').querySelectorAll('.bar'),"
        " bar => bar.getBoundingClientRect().width / bar.parentElement.getBoundingClientRect().width)"
    )
    assert shares == pytest.approx([0.6, 0.2, 0.1, 0.05, 0.04], abs=0.01)


def test_dark_is_dark(opened):
    def brightness(scheme):
        page, _, _ = opened(1280, scheme)
        colour = page.evaluate("getComputedStyle(document.body).backgroundColor")
        return sum(float(part) for part in colour[colour.index("(") + 1 : -1].split(",")[:3])

    assert brightness("dark") < 150 < 600 < brightness("light")
