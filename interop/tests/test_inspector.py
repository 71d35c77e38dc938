"""A real browser looks at the tour's sessions through the inspector, while it uses the tour."""

import pytest
import requests
from conftest import running
from test_browser import LOOKS, SECRET, Browser, elsewhere, log_in, look, picture, started, without_complaints

STORES = ["cookie", "memory"]


@pytest.fixture(params=STORES)
def inspected(request, chromium, chromedriver, tour, tmp_path):
    """A fresh visitor of a fresh tour with its inspector; afterwards the console must be empty of errors."""
    kept = [] if request.param == "cookie" else ["--sessions=memory:"]
    with running(
        [tour, "--inspector", *kept],
        tmp_path / "tour.log",
        SECRET_KEY=SECRET,
        DATA_DIR=str(tmp_path / "tour-data"),
    ) as site:
        with started(chromium, chromedriver, tmp_path / "profile") as driver:
            driver.get(site.url + "/")
            with without_complaints(driver):
                yield Browser(driver, site.url), request.param


def newest(browser):
    return browser.driver.find_element("css selector", '[data-testid="request"]')


def test_the_inspector_shows_before_and_after_as_it_happens_and_ends_a_session(inspected):
    browser, kept = inspected
    driver = browser.driver
    pages = driver.current_window_handle
    driver.switch_to.new_window("tab")
    inspector = driver.current_window_handle
    browser.open("/_sessions")
    browser.sees("requests", "The latest")

    driver.switch_to.window(pages)
    log_in(browser)
    browser.open("/counter")
    browser.sees("visits", "1")
    browser.click("visit-again")
    browser.sees("visits", "2")

    # The tab of before looks again by itself.
    driver.switch_to.window(inspector)
    browser.sees("entries", "alice")
    browser.sees("event-list", "logged_in")
    browser.sees("budget", "bytes")
    browser.until(lambda: "/counter" in newest(browser).text and "~1" in newest(browser).text, "the last visit")
    browser.until(lambda: newest(browser).find_element("tag name", "summary").click() or True, "it to open")
    browser.until(lambda: "changed" in newest(browser).text, "what was before and after")
    opened = newest(browser).get_attribute("id")

    with requests.Session() as phone:
        elsewhere(browser.url, phone)
        browser.sees("device-list", "Android")
        # What is open stays open while the page changes.
        browser.until(lambda: driver.find_element("id", opened).get_attribute("open"), "it to stay open")
        browser.until(lambda: end_of(driver, "Android").click() or True, "the button to be clickable")
        browser.until(lambda: "Android" not in browser.element("device-list").text, "the phone to be gone")
        browser.sees("event-list", "revoked")
        if kept == "memory":
            assert "You are not logged in" in phone.get(browser.url + "/account").text

    # Of somebody else's session there are keys and sizes, never values.
    with requests.Session() as phone:
        elsewhere(browser.url, phone, "mallory-the-other")
    browser.until(lambda: "another user" in browser.element("event-list").text, "the other login")
    assert "mallory-the-other" not in driver.page_source
    assert browser.driver.get_cookie("session")["value"] not in driver.page_source

    browser.click("pause")
    browser.until(lambda: driver.find_element("id", "state").text == "Paused", "the page to pause")
    driver.switch_to.window(pages)
    browser.open("/flash")
    driver.switch_to.window(inspector)
    assert "/flash" not in newest(browser).text
    browser.click("pause")
    browser.until(lambda: "/flash" in newest(browser).text, "the page to go on")


def end_of(driver, device):
    """The button that ends the session of a device."""
    return driver.find_element("css selector", f'[data-testid="end"][aria-label*="{device}"]')


def test_the_inspector_fits_wide_and_narrow_light_and_dark(inspected, pytestconfig):
    """With `--screenshots=FOLDER` a picture of each is kept."""
    browser, kept = inspected
    driver, folder = browser.driver, pytestconfig.getoption("screenshots")
    with requests.Session() as phone:
        elsewhere(browser.url, phone)
        elsewhere(browser.url, requests.Session(), "mallory")
        log_in(browser)
        for _ in range(4):
            browser.open("/counter")
        browser.open("/name")
        browser.fill("first-name", "Ada")
        browser.click("save-name")
        browser.sees("greeting", "Ada")
        browser.open("/tamper")
        browser.click("tamper-send")
        browser.sees("tamper-verdict", "Refused")
        browser.click("restore")
        browser.sees("tamper-verdict", "Accepted")
        browser.open("/name")
        too_wide = []
        for width, scheme in LOOKS:
            look(driver, width, scheme)
            browser.open("/_sessions")
            browser.sees("entries", "Ada")
            browser.click("pause")
            browser.until(lambda: driver.find_element("id", "state").text == "Paused", "the page to pause")
            changed = '//details[@data-testid="request"][contains(., "~1")]/summary'
            driver.find_element("xpath", changed).click()
            wide = driver.execute_script("return document.documentElement.scrollWidth")
            too_wide += [(width, scheme, wide)] if wide > width else []
            picture(driver, folder, f"inspector-{kept}", width, scheme)
        assert not too_wide


def test_the_inspector_works_without_a_script(chromium, chromedriver, tour, tmp_path):
    with running(
        [tour, "--inspector"], tmp_path / "tour.log", SECRET_KEY=SECRET, DATA_DIR=str(tmp_path / "tour-data")
    ) as site:
        with started(chromium, chromedriver, tmp_path / "profile", javascript=False) as driver:
            browser = Browser(driver, site.url)
            with requests.Session() as phone:
                elsewhere(site.url, phone)
                log_in(browser)
                browser.open("/_sessions")
                browser.sees("entries", "alice")
                browser.sees("device-list", "Android")
                end_of(driver, "Android").click()
                browser.until(lambda: "Android" not in browser.element("device-list").text, "the phone to be gone")
                driver.find_element("id", "again").click()
                browser.sees("event-list", "revoked")
