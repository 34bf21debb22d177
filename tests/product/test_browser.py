"""The pages in a real browser: sign in, see how things stand, read the reference, on a wide and a narrow screen."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, sync_playwright

from tests.product.product import Product, mint

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("product")]

CHROMIUM = Path("/usr/bin/chromium")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if not CHROMIUM.exists():
        absent = f"there is no browser at {CHROMIUM}: apt-get install chromium"
        pytest.fail(absent) if os.environ.get("CI") else pytest.skip(absent)
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox"])
        yield launched
        launched.close()


@pytest.fixture
def complaints() -> list[str]:
    return []


@pytest.fixture(params=[(1280, 800), (390, 844)], ids=["wide", "narrow"])
def page(browser: Browser, complaints: list[str], request: pytest.FixtureRequest) -> Iterator[Page]:
    """A fresh page; what its console complains of ends in `complaints`."""
    width, height = request.param
    context = browser.new_context(viewport={"width": width, "height": height})
    opened = context.new_page()
    opened.on("console", lambda message: complaints.extend(_complaint(message)))
    opened.on("pageerror", lambda error: complaints.append(str(error)))
    yield opened
    context.close()


def _complaint(message: ConsoleMessage) -> list[str]:
    return [message.text] if message.type in {"error", "warning"} else []


def fits(page: Page) -> bool:
    """Whether nothing is wider than the screen."""
    return bool(page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"))


def sign_in(page: Page, product: Product) -> None:
    page.goto(product.url)
    page.locator("input[name=token]").fill(mint("reader"))
    page.locator("form button").first.click()
    page.wait_for_load_state()


def test_the_first_page(product: Product, page: Page, complaints: list[str]) -> None:
    page.goto(product.url)
    assert fits(page)
    sign_in(page, product)
    score = product.get("/compliance/summary")["score"]
    text = page.locator("body").inner_text()
    assert str(score) in text
    for severity in ("critical", "high", "medium", "low"):
        assert severity in text.lower()
    assert fits(page)
    assert not complaints


def test_the_reference(product: Product, page: Page, complaints: list[str]) -> None:
    page.goto(f"{product.url}/api/docs")
    text = page.locator("body").inner_text()
    assert "/api/v1/findings" in text
    assert fits(page)
    assert not complaints


def test_a_wrong_token_is_refused_in_words(product: Product, page: Page) -> None:
    page.goto(product.url)
    page.locator("input[name=token]").fill("not a token")
    page.locator("form button").first.click()
    page.wait_for_load_state()
    assert page.locator("input[name=token]").count() == 1
    assert fits(page)
