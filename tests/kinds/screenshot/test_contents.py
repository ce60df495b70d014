"""What is recognised in a screenshot that shows no page."""

from pathlib import Path

import pytest
from PIL import Image, ImageDraw

from sheepfold.kinds.screenshot.contents import SIGN, SIGN_SIDE, Problem, problem_of

WHITE, GREY = (255, 255, 255), (222, 225, 230)


def screen(width: int = 1024, height: int = 768, ground: tuple[int, int, int] = WHITE) -> Image.Image:
    """Draw a browser's window without a page: its bars, a task bar, a frame and a scroll bar."""
    image = Image.new("RGB", (width, height), ground)
    draw = ImageDraw.Draw(image)
    draw.rectangle((0, 0, width, 104), GREY)
    draw.text((20, 40), "http://127.0.0.1/", (0, 0, 0))
    draw.rectangle((0, height - 30, width, height), (0, 60, 120))
    draw.rectangle((width - 14, 104, width, height), (200, 200, 200))
    draw.rectangle((0, 0, 3, height), (10, 10, 10))
    return image


def test_one_colour_is_blank() -> None:
    assert problem_of(Image.new("RGB", (1024, 768), (10, 20, 30))) is Problem.BLANK


def test_a_pattern_that_repeats_is_blank() -> None:
    image = Image.new("RGB", (640, 480))
    for row in range(480):
        image.paste((row % 4 * 40, 0, 0), (0, row, 640, row + 1))
    assert problem_of(image) is Problem.BLANK


@pytest.mark.parametrize("ground", [WHITE, (30, 30, 30)])
def test_a_window_around_nothing_is_blank(ground: tuple[int, int, int]) -> None:
    image = screen(ground=ground)
    assert problem_of(image) is Problem.BLANK
    ImageDraw.Draw(image).line((300, 300, 300, 310), (128, 0, 0))  # a caret
    assert problem_of(image) is Problem.BLANK


@pytest.mark.parametrize("place", [(40, 112), (500, 400), (40, 700)])
def test_one_line_of_text_is_a_page(place: tuple[int, int]) -> None:
    image = screen()
    ImageDraw.Draw(image).text(place, "Nothing but this line.", (0, 0, 0))
    assert problem_of(image) is None


def test_a_page_without_a_window_is_judged_too() -> None:
    page = Image.new("RGB", (1024, 900), WHITE)
    ImageDraw.Draw(page).point((500, 500), (0, 0, 0))
    assert problem_of(page) is Problem.BLANK
    ImageDraw.Draw(page).text((40, 40), "A page.", (0, 0, 0))
    assert problem_of(page) is None


def test_a_page_ten_pixels_high_may_have_little_on_it() -> None:
    page = Image.new("RGB", (1024, 10), WHITE)
    ImageDraw.Draw(page).point((500, 5), (0, 0, 0))
    assert problem_of(page) is None


@pytest.mark.parametrize("ratio", [1, 2])
def test_chromiums_page_of_an_error_is_found(ratio: int) -> None:
    real = Image.open(Path(__file__).parent / "chromium-error.png").convert("RGB")
    shot = screen(1024 * ratio, 768 * ratio)
    shot.paste(real.resize((real.width * ratio, real.height * ratio), Image.Resampling.NEAREST), (0, 105))
    assert problem_of(real) is Problem.NO_CONNECTION
    assert problem_of(shot) is Problem.NO_CONNECTION
    ImageDraw.Draw(real).rectangle((220, 140, 230, 150), WHITE)
    assert problem_of(real) is None


@pytest.mark.parametrize("shade", [0, -6, 8])
def test_our_own_page_of_an_error_is_found_by_its_sign(shade: int) -> None:
    image = screen()
    draw = ImageDraw.Draw(image)
    draw.text((40, 200), "Redirect error", (0, 0, 0))
    for place, colour in enumerate(SIGN):
        left = 37 + place * SIGN_SIDE
        seen = tuple(max(0, min(255, value + shade)) for value in colour)
        draw.rectangle((left, 301, left + SIGN_SIDE - 1, 301 + SIGN_SIDE - 1), seen)
    assert problem_of(image) is Problem.REDIRECT_PAGE


def test_a_sign_that_is_cut_off_is_none() -> None:
    image = screen()
    draw = ImageDraw.Draw(image)
    draw.text((40, 200), "Some page", (0, 0, 0))
    for place, colour in enumerate(SIGN[:-1]):
        draw.rectangle((37 + place * SIGN_SIDE, 301, 37 + (place + 1) * SIGN_SIDE - 1, 324), colour)
    assert problem_of(image) is None


def test_a_narrow_picture_has_no_room_for_a_sign() -> None:
    image = Image.linear_gradient("L").resize((100, 100)).convert("RGB")
    assert problem_of(image) is None


def test_a_screen_that_its_browser_does_not_fill_has_a_blank_edge() -> None:
    whole = screen()
    ImageDraw.Draw(whole).text((40, 200), "A page.", (0, 0, 0))
    assert problem_of(whole, is_screen=True) is None
    for box, problem in (
        ((0, 0, 40, 768), Problem.BLANK_LEFT),
        ((990, 0, 1024, 768), Problem.BLANK_RIGHT),
        ((0, 755, 1024, 768), Problem.BLANK_BOTTOM),
    ):
        image = whole.copy()
        ImageDraw.Draw(image).rectangle(box, (0, 0, 0))
        assert problem_of(image, is_screen=True) is problem
        assert problem_of(image) is None


def test_the_pattern_of_an_empty_x_screen_is_a_blank_edge() -> None:
    image = screen()
    ImageDraw.Draw(image).text((40, 200), "A page.", (0, 0, 0))
    weave = Image.new("RGB", (60, 768))
    for x in range(60):
        for y in range(768):
            weave.putpixel((x, y), (255, 255, 255) if (x * 3 + y) % 4 < 2 else (0, 0, 0))
    image.paste(weave, (964, 0))
    assert problem_of(image, is_screen=True) is Problem.BLANK_RIGHT


@pytest.mark.parametrize("below", [(255, 255, 255), (40, 40, 60)])
def test_a_lower_edge_in_one_colour_is_a_page_s_or_a_bar_s(below: tuple[int, int, int]) -> None:
    image = screen()
    draw = ImageDraw.Draw(image)
    draw.text((40, 200), "A page.", (0, 0, 0))
    draw.rectangle((0, 740, 1024, 768), below)
    assert problem_of(image, is_screen=True) is None
