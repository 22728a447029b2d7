"""The page in a real browser: upload, draw, two networks, narrow screens, keyboard alone, names that would do harm."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from econet.deployment.predictor import Predictor
from econet.serving.networks import open_networks
from econet.serving.samples import sample_pictures
from hostile_names import HOSTILE_NAMES
from served_page import SHIPPED, serving

playwright_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium and no google-chrome on this system")

PHOTO = sorted((Path(__file__).parents[1] / "fixtures" / "clothing" / "test" / "dress").iterdir())[0]
# Hands files to the page as a drop, or as a paste, does.
HAND_OVER = """([kind, name, content]) => {
    const data = new DataTransfer();
    data.items.add(new File([new Uint8Array(content)], name, { type: "image/png" }));
    const event = kind === "paste"
        ? new ClipboardEvent("paste", { clipboardData: data, bubbles: true, cancelable: true })
        : new DragEvent("drop", { dataTransfer: data, bubbles: true, cancelable: true });
    document.body.dispatchEvent(event);
}"""


@pytest.fixture(scope="module")
def browser():
    with playwright_api.sync_playwright() as playwright:
        arguments = [
            "--no-sandbox",
            "--disable-gpu",
            "--disable-background-networking",
            "--use-fake-device-for-media-stream",
            "--use-fake-ui-for-media-stream",
        ]
        started = playwright.chromium.launch(executable_path=CHROMIUM, headless=True, args=arguments)
        yield started
        started.close()


@pytest.fixture(scope="module")
def one():
    """The shipped network with its samples."""
    with serving([SHIPPED], sample_pictures(open_networks([SHIPPED]))) as found:
        yield found


@pytest.fixture(scope="module")
def two(relabelled, tmp_path_factory):
    """The shipped network, and one with the same classes that stretches its pictures."""
    path = relabelled(tmp_path_factory.mktemp("two") / "other.onnx", resize="stretch")
    with serving([SHIPPED, path]) as found:
        yield found


@pytest.fixture
def opened(browser):
    """A function that opens a site at a width; at the end nothing was said, and nothing asked of anyone else."""
    contexts, watched = [], []

    def open_page(site, width=1280, scheme="light", **more):
        context = browser.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme, **more)
        contexts.append(context)
        page = context.new_page()
        said, asked = [], []
        watched.append((site, said, asked))
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("request", lambda request: asked.append(request.url))
        page.goto(site.url)
        page.wait_for_selector("html[data-ready]")
        return page

    yield open_page
    for context in contexts:
        context.close()
    for site, said, asked in watched:
        # A picture that is refused is noted by the browser itself.
        assert [text for text in said if "400 (Bad Request)" not in text] == []
        assert [url for url in asked if not url.startswith((site.url, "data:", f"blob:{site.url}"))] == []


def bars(page, place=0) -> list[str]:
    """The names beside the bars of a network, once they are there."""
    page.wait_for_selector(".bars")
    return page.locator(".network").nth(place).locator(".name bdi").all_text_contents()


def seen(page, place=0) -> np.ndarray:
    """The pixels of the small picture that a network shows, first channel."""
    pixels = (
        page.locator(".seen img")
        .nth(place)
        .evaluate(
            """picture => {
            const canvas = document.createElement("canvas");
            [canvas.width, canvas.height] = [picture.naturalWidth, picture.naturalHeight];
            const context = canvas.getContext("2d");
            context.drawImage(picture, 0, 0);
            return Array.from(context.getImageData(0, 0, canvas.width, canvas.height).data);
        }"""
        )
    )
    return np.array(pixels, np.uint8).reshape(28, 28, 4)[:, :, 0]


def test_an_uploaded_photo_is_answered_as_predict_answers(opened, one):
    page = opened(one)
    page.set_input_files("#file", PHOTO)
    found = bars(page)
    with Image.open(PHOTO) as picture:
        gray = picture.convert("L")
    factor = 28 / min(gray.size)
    small = np.asarray(gray.resize([round(side * factor) for side in gray.size], Image.Resampling.BILINEAR))
    top = (small.shape[0] - 28) // 2
    expected = Predictor(SHIPPED).predict(np.ascontiguousarray(small[top : top + 28, :28]))
    assert found == [each.label for each in expected]
    assert expected[0].label in page.locator("#spoken").inner_text()
    assert page.locator("#given-name").inner_text() == PHOTO.name
    assert "Median of 5 calls" in page.locator(".seen").inner_text()


def test_a_drawing_is_seen_white_on_black_where_it_was_drawn(opened, one):
    page = opened(one)
    page.click("#draw-toggle")
    page.locator("#pen-size").fill("80")
    page.locator("#board").scroll_into_view_if_needed()
    box = page.locator("#board").bounding_box()
    page.mouse.move(box["x"] + box["width"] * 0.25, box["y"] + 5)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.25, box["y"] + box["height"] - 5, steps=5)
    page.mouse.up()
    assert len(bars(page)) == 5
    small = seen(page)
    # A pen of 80 of 280 pixels around a quarter of the width: columns 3 to 11 of 28.
    assert (small[4:24, 4:10] == 255).all()
    assert (small[:, 14:] == 0).all()
    page.click("#clear")
    page.locator("#undo").click()
    assert "White on black" in page.locator("#board-how").inner_text()


def test_two_networks_stand_side_by_side_and_say_whether_they_agree(opened, two):
    page = opened(two)
    page.set_input_files("#file", PHOTO)
    first, second = bars(page, 0), bars(page, 1)
    names = page.locator(".network h3").all_text_contents()
    assert names[0] == "fashion-mnist-econet-76k"
    assert names[1].endswith("/other.onnx")
    boxes = [page.locator(".network").nth(place).bounding_box() for place in (0, 1)]
    assert boxes[0]["y"] == boxes[1]["y"]
    assert boxes[0]["x"] + boxes[0]["width"] <= boxes[1]["x"]
    spoken = page.locator("#spoken").inner_text()
    agreed = f"Both say {first[0]}"
    assert spoken == (agreed if first[0] == second[0] else f"They differ: {first[0]}, {second[0]}")
    assert "96.3 KB, 94.6 % right" in page.locator(".network").first.inner_text()


def test_by_keyboard_alone_one_sees_where_each_network_looked(opened, two, as_file):
    page = opened(two, width=360)
    assert page.locator("#look").is_hidden()
    page.set_input_files("#file", PHOTO)
    first = [bars(page, place)[0] for place in (0, 1)]
    page.focus("#swap")
    page.keyboard.press("Tab")
    assert focused(page) == "look"
    page.keyboard.press("Enter")
    page.locator(".looked").nth(1).wait_for()
    for place, label in enumerate(first):
        figure = page.locator(".network").nth(place).locator(".looked")
        assert f"Where it looked, for {label}" in figure.inner_text()
        drawn, saw = (page.locator(".network").nth(place).locator(".seen > img").nth(each) for each in (1, 0))
        assert drawn.bounding_box()["width"] == saw.bounding_box()["width"] <= 360
        assert drawn.evaluate("picture => picture.naturalWidth") == 28
    assert page.locator("#look-state").get_attribute("role") == "status"
    assert page.locator("#look-state").inner_text().startswith("Looked: ")
    # Once more draws no second one, and a map does not outlive its picture.
    with page.expect_response(lambda response: response.url.endswith("/map")):
        page.keyboard.press("Enter")
    page.locator("#look-state", has_text="Looked: ").wait_for()
    assert page.locator(".looked").count() == 2
    page.evaluate(HAND_OVER, ["drop", "gray.png", list(as_file(Image.new("L", (28, 28), 90)))])
    page.locator("#given-name", has_text="gray.png").wait_for()
    page.wait_for_selector("#look-field:not([hidden])")
    assert page.locator(".looked").count() == 0
    assert page.locator("#look-state").inner_text() == ""


def test_a_picture_that_is_none_of_these_is_said_to_be_so_aloud(opened, doubtful, tmp_path):
    sets = {"familiar": 1e6, "score": 50.0, "classes": ["<b>bold</b>", *(f"kind {place}" for place in range(9))]}
    paths = [doubtful(tmp_path / "sure.onnx", **sets), SHIPPED]
    with serving(paths) as site:
        page = opened(site)
        page.set_input_files("#file", PHOTO)
        bars(page)
        told, silent = (page.locator(".network").nth(place) for place in (0, 1))
        assert page.locator("#spoken").inner_text().endswith("; perhaps none of these, by 1 of them")
        assert told.locator(".unlike").inner_text().startswith("Perhaps none of these.")
        among = told.locator(".among")
        assert "90 of 100 such sets hold the right class" in among.inner_text()
        assert among.locator("bdi").count() == 8
        assert among.inner_text().endswith(" and 2 more.")
        assert silent.locator(".unlike").count() == 0
        assert "holds no confidence" in silent.inner_text()
        assert page.evaluate(LIVE) == []
    with serving(paths[:1]) as site:
        page = opened(site)
        page.set_input_files("#file", PHOTO)
        bars(page)
        assert page.locator("#spoken").inner_text().endswith("%; perhaps none of these")


CONTRASTS = """() => {
    const numbers = (colour) => colour.match(/[\\d.]+/g).map(Number);
    const light = ([r, g, b]) => {
        const linear = (v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
        const [x, y, z] = [r, g, b].map((level) => linear(level / 255));
        return 0.2126 * x + 0.7152 * y + 0.0722 * z;
    };
    const ground = (node) => {
        for (let each = node; each; each = each.parentElement) {
            const colour = numbers(getComputedStyle(each).backgroundColor);
            if (colour.length === 3 || colour[3] === 1) return colour;
        }
        return [255, 255, 255];
    };
    return Array.from(document.querySelectorAll("main *"))
        .filter((node) => [...node.childNodes].some((child) => child.nodeType === 3 && child.data.trim()))
        .filter((node) => node.checkVisibility())
        .map((node) => {
            const pair = [light(numbers(getComputedStyle(node).color)), light(ground(node))].sort((a, b) => b - a);
            return [node.textContent.trim(), (pair[0] + 0.05) / (pair[1] + 0.05)];
        });
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_every_width_and_every_text_can_be_read(opened, two, scheme):
    page = opened(two, scheme=scheme)
    page.set_input_files("#file", PHOTO)
    bars(page)
    page.click("#draw-toggle")
    page.click("#camera-toggle")
    page.click("#look")
    page.locator(".looked").nth(1).wait_for()
    for width in (320, 360, 768, 1280):
        page.set_viewport_size({"width": width, "height": 800})
        across = page.evaluate("[document.documentElement.scrollWidth, document.documentElement.clientWidth]")
        assert across[0] <= across[1], f"{across[0]} px of content in {across[1]} px"
    contrasts = page.evaluate(CONTRASTS)
    assert len(contrasts) > 30
    assert [text for text, contrast in contrasts if contrast < 4.5] == []


def test_dark_is_dark_and_whoever_wants_no_motion_gets_none(opened, one):
    page = opened(one, scheme="dark", reduced_motion="reduce")
    page.set_input_files("#file", PHOTO)
    bars(page)
    colour = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert sum(int(part) for part in colour[4:-1].split(",")) < 120
    assert page.locator(".fill").first.evaluate("node => getComputedStyle(node).transitionDuration") == "0s"


def focused(page) -> str:
    """What has the focus, which must be seen to have it."""
    found = page.evaluate(
        """() => {
            const node = document.activeElement;
            const shown = node.id === "file" ? node.nextElementSibling : node;
            return [node.id || node.textContent.trim(), getComputedStyle(shown).outlineStyle];
        }"""
    )
    assert found[1] == "solid", found
    return found[0]


def test_by_keyboard_alone_one_reaches_everything_in_order(opened, one):
    page = opened(one)
    order = []
    for _ in range(15):
        page.keyboard.press("Tab")
        order.append(focused(page))
    assert order[:4] == ["file", "paste", "draw-toggle", "camera-toggle"]
    assert order[4:14] == page.locator("#sample-list button").all_text_contents()
    assert order[14] == "swap"
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Enter")
    assert bars(page)[0] == order[13]


def test_by_keyboard_alone_one_can_draw(opened, one):
    page = opened(one)
    for _ in range(3):
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    assert focused(page) == "board"
    page.keyboard.press("Space")
    assert page.locator("#pen-state").inner_text() == "The pen is down."
    for _ in range(10):
        page.keyboard.press("ArrowLeft")
    page.keyboard.press("Space")
    assert len(bars(page)) == 5
    small = seen(page)
    # From the middle, 100 of 280 pixels to the left, with a pen of 22.
    assert (small[14, 5:14] > 200).all()
    assert (small[:, 16:] == 0).all()
    assert (small[:10] == 0).all()
    page.keyboard.press("Tab")
    assert focused(page) == "pen-size"


def test_the_answer_and_what_went_wrong_are_said_aloud(opened, one):
    page = opened(one)
    spoken = page.locator("#spoken")
    assert spoken.get_attribute("role") == "status"
    assert spoken.get_attribute("aria-live") == "polite"
    assert page.locator("#trouble").get_attribute("role") == "alert"
    page.set_input_files("#file", PHOTO)
    bars(page)
    page.set_input_files("#file", {"name": "notes.jpg", "mimeType": "image/jpeg", "buffer": b"these are words"})
    page.wait_for_selector("#trouble:not([hidden])")
    lines = page.locator("#trouble p").all_text_contents()
    assert spoken.inner_text() == "No answer: this is no picture that can be read"
    assert lines[0].startswith("why: not one of JPEG")
    assert lines[1].startswith("try: give a JPEG")
    # What was said of the picture before stands there no longer.
    assert page.locator(".bars").count() == 0


@pytest.mark.parametrize("kind", ["paste", "drop"])
def test_a_picture_can_be_pasted_and_dropped(kind, opened, one, as_file):
    page = opened(one)
    content = as_file(Image.new("L", (28, 28), 90))
    page.evaluate(HAND_OVER, [kind, "gray.png", list(content)])
    assert len(bars(page)) == 5
    assert (seen(page) == 90).all()
    assert page.locator("#given-name").inner_text() == "gray.png"


def test_the_camera_takes_a_picture_and_goes_off_with_its_panel(opened, one):
    page = opened(one)
    page.click("#camera-toggle")
    playing = "() => document.getElementById('viewfinder').videoWidth"
    for _ in range(100):
        if page.evaluate(playing):
            break
        page.wait_for_timeout(100)
    page.click("#take")
    assert len(bars(page)) == 5
    page.click("#camera-toggle")
    assert page.evaluate("document.getElementById('viewfinder').srcObject") is None
    assert page.locator("#camera").is_hidden()


def test_dark_and_light_are_swapped_on_demand(opened, one, as_file):
    page = opened(one)
    page.evaluate(HAND_OVER, ["drop", "paper.png", list(as_file(Image.new("L", (28, 28), 250)))])
    bars(page)
    assert "Try it with dark and light swapped" in page.locator(".hint").inner_text()
    page.check("#swap")
    page.locator(".seen", has_text="dark and light swapped").wait_for()
    assert (seen(page) == 5).all()
    assert page.locator(".hint").count() == 0


LIVE = """() => Array.from(document.querySelectorAll("*"))
    .filter((node) => [...node.attributes].some((each) => each.name.startsWith("on"))
        || ["IFRAME", "OBJECT", "EMBED", "STYLE", "FORM", "TEXTAREA", "BASE", "TEMPLATE", "DETAILS", "MATH",
            "PLAINTEXT", "A", "BR", "svg"].includes(node.tagName)
        || (node.tagName === "SCRIPT" && node.getAttribute("src") !== "page.js")
        || (node.tagName === "IMG" && !/^(data:image.png;base64,|blob:|.samples.)/.test(node.getAttribute("src"))))
    .map((node) => node.outerHTML)"""


def test_forty_hostile_names_of_classes_and_files_become_no_live_tag(opened, relabelled, tmp_path, as_file):
    black = Image.new("L", (28, 28))
    known = Predictor(SHIPPED).classes
    ranked = [each.label for each in Predictor(SHIPPED).predict(np.asarray(black), top=10)]
    paths = []
    for number, start in enumerate(range(0, 40, 5)):
        # Those that the page will show, since the network finds them likeliest of a black picture.
        other = dict(zip(ranked[:5], HOSTILE_NAMES[start : start + 5], strict=True))
        classes = [other.get(name, f"{name} of {number}") for name in known]
        name = HOSTILE_NAMES[start].replace("\n", "")
        paths.append(relabelled(tmp_path / f"{name[:90]}{number}.onnx", classes))
    with serving(paths) as site:
        page = opened(site)
        content = list(as_file(black))
        for name in HOSTILE_NAMES:
            with page.expect_response(lambda response: "/answer" in response.url):
                page.evaluate(HAND_OVER, ["drop", name, content])
            assert page.evaluate("document.getElementById('given-name').textContent") == name
            assert page.evaluate(LIVE) == []
        shown = [label for place in range(8) for label in bars(page, place)]
        assert page.evaluate(LIVE) == []
        assert page.evaluate("window.harmed") is None
        heads = page.locator(".network h3").all_text_contents()
    plain = [name for name in HOSTILE_NAMES if name.isprintable() and len(name) <= 80]
    assert len(shown) == 40
    assert len(plain) == 36
    assert set(plain) <= set(shown)
    assert [head.rsplit("/", 1)[-1] for head in heads] == [path.name for path in paths]
