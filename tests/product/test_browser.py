"""The pages in a real browser: sign in, see how things stand, read the reference, on a wide and a narrow screen."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, sync_playwright

from tests.fakes.product import Product, mint

pytestmark = pytest.mark.browser

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


@pytest.fixture(params=[(1280, 800, "light"), (390, 844, "dark")], ids=["wide", "narrow"])
def page(browser: Browser, complaints: list[str], request: pytest.FixtureRequest) -> Iterator[Page]:
    """A fresh page; what its console complains of ends in `complaints`."""
    width, height, scheme = request.param
    context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)
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


def test_the_api_reference_is_shown(product: Product, page: Page, complaints: list[str]) -> None:
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


def link(product: Product) -> str:
    return f"{product.url}{product.post('/sign-in-links')['path']}"


def test_a_link_signs_in_once(product: Product, page: Page, complaints: list[str]) -> None:
    opened = link(product)
    page.goto(opened)
    assert page.url == f"{product.url}/"
    assert "Signed in as" in page.locator("body").inner_text()
    (cookie,) = page.context.cookies()
    assert (cookie["httpOnly"], cookie["sameSite"]) == (True, "Strict")
    assert not complaints
    again = page.goto(opened)
    assert again is not None
    assert again.status == 410
    assert "cortex sign-in" in page.locator("[role=alert]").inner_text()
    assert fits(page)
    page.get_by_role("link", name="Overview").click()
    page.wait_for_load_state()
    assert "Signed in as" in page.locator("body").inner_text()


def test_a_link_on_another_site_signs_in_too(product: Product, page: Page) -> None:
    """A redirect alone would not: the cookie is not sent where another site leads."""
    mail = f"<a href='{link(product)}'>the link</a>"
    page.route("http://mail.example/**", lambda route: route.fulfill(body=mail, content_type="text/html"))
    page.goto("http://mail.example/")
    page.get_by_role("link").click()
    page.wait_for_url(f"{product.url}/")
    assert "Signed in as" in page.locator("body").inner_text()


@pytest.mark.parametrize(
    ("path", "status", "advice"),
    [
        ("/nowhere", 404, "Check the address"),
        ("/api/v1/findings", 401, "cortex sign-in"),
        ("/session", 405, "for programs"),
    ],
)
def test_an_error_is_a_page_that_says_what_to_do(
    product: Product, page: Page, path: str, status: int, advice: str
) -> None:
    answer = page.goto(f"{product.url}{path}")
    assert answer is not None
    assert answer.status == status
    assert advice in page.locator("main").inner_text()
    assert fits(page)
    colour = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert colour not in {"rgba(0, 0, 0, 0)", "rgb(255, 255, 255)"}, "the style sheet was not loaded"
