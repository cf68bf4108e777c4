"""The explorer in a browser: from the image to a unit's sum, drawing, changing the network, two languages."""

from pathlib import Path

import pytest
import torch

from cnnlab.runs.locate import locate_checkpoint
from cnnlab.runs.trained_network import Trained, load_trained
from cnnlab.web.explorer import explorer_page
from tests.conftest import REPOSITORY
from tests.web.browser import needs_browser, opened

pytestmark = needs_browser


@pytest.fixture(scope="module")
def trained() -> Trained:
    return load_trained(locate_checkpoint("pretrained:lenet5-mnist", ""))


@pytest.fixture(scope="module")
def page_file(trained, tmp_path_factory) -> Path:
    """A page with a light square and a light bar as images."""
    images = torch.zeros(2, 1, 28, 28, dtype=torch.uint8)
    images[0, :, 9:19, 9:19] = 255
    images[1, :, 4:24, 13:16] = 255
    path = tmp_path_factory.mktemp("page") / "explorer.html"
    path.write_text(explorer_page([trained], images, ["0", "1"], "en"), encoding="utf-8")
    return path


def ready(page):
    page.wait_for_selector("body[data-ready]")
    return page


def test_two_clicks_lead_to_the_sum_of_a_unit(page_file, trained):
    with opened(page_file) as page:
        ready(page).locator("[aria-label='c3, channel 5']").click()
        page.locator(".large").click(position={"x": 30, "y": 30})
        chosen = page.evaluate("(({ index, channel, y, x }) => [index, channel, y, x])(explorer.chosen.unit.chosen)")
        written = page.locator(".unit .result").first.inner_text().strip(" =").replace("\u2212", "-")
        assert page.locator(".unit .term").count() == 6
    assert chosen[:2] == [4, 5]
    images = torch.zeros(1, 1, 28, 28, dtype=torch.uint8)
    images[0, :, 9:19, 9:19] = 255
    net = trained.net
    with torch.no_grad():
        maps = net.c3(net.s2(torch.tanh(net.c1(trained.preprocess(images)))))
    assert float(written) == pytest.approx(maps[0, 5, chosen[2], chosen[3]].item(), abs=0.006)


def test_a_drawn_digit_is_recognized(page_file):
    with opened(page_file) as page:
        ready(page).get_by_role("button", name="Draw").click()
        box = page.locator(".pad").bounding_box()
        for stroke in ([(0.25, 0.2), (0.7, 0.2), (0.45, 0.85)],):
            points = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in stroke]
            page.mouse.move(*points[0])
            page.mouse.down()
            for point in points[1:]:
                page.mouse.move(*point, steps=8)
            page.mouse.up()
        assert page.locator(".bars .name").first.inner_text() == "7"


@pytest.mark.parametrize(("file", "digit"), [("seven.png", "7"), ("three.png", "3"), ("five.jpg", "5")])
def test_an_opened_drawing_has_the_class_that_predict_gives(page_file, trained, file, digit):
    path = REPOSITORY / "docs" / "drawings" / file
    prepared = trained.preprocess.prepare(path).pixels[None]
    assert trained.classes[trained(trained.preprocess(prepared)).argmax()] == digit
    with opened(page_file) as page:
        ready(page).locator("input[type=file]").set_input_files(path)
        page.wait_for_function(f"() => document.querySelector('.input > .note').textContent === '{file}'")
        assert page.locator(".bars .name").first.inner_text() == digit


def test_a_channel_can_be_switched_off_and_the_change_undone(page_file):
    logits = "() => [...explorer.chosen.logits]"
    with opened(page_file) as page:
        before = ready(page).evaluate(logits)
        page.locator("[aria-label='c3, channel 5']").click()
        page.get_by_label("switch this channel off").check()
        assert page.evaluate(logits) != before
        assert page.evaluate("() => explorer.chosen.results[4].data.subarray(500, 600).every((value) => value === 0)")
        page.get_by_role("button", name="Undo all changes").click()
        assert page.evaluate(logits) == before
        page.locator("[aria-label='c1, channel 0']").click()
        page.locator(".grid input").first.fill("3")
        page.locator(".grid input").first.press("Enter")
        assert page.evaluate(logits) != before


def test_heat_maps_are_computed_in_the_page(page_file):
    with opened(page_file) as page:
        for kind in ("cam", "occlusion"):
            ready(page).locator(".heat select").select_option(kind)
            page.wait_for_function("() => document.querySelector('.heat + .note').textContent.includes('Bright')")


def test_the_page_speaks_chinese(page_file):
    with opened(page_file) as page:
        ready(page).get_by_label("Language").select_option("zh")
        assert page.locator("h2").all_inner_texts() == ["输入", "预测", "网络", "单元"]


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_fits_the_window(page_file, width, scheme):
    with opened(page_file, width=width, color_scheme=scheme) as page:
        assert ready(page).evaluate("document.documentElement.scrollWidth") <= width
