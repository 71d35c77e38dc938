"""A real browser clicks through the tour, with JavaScript and without it, and looks at each page in four ways.

Elements are found by their `data-testid`. Where scripts draw the answer into the page there is no navigation to wait
for, so each step waits for what the visitor would see.
"""

import base64
import contextlib
from pathlib import Path

import pytest
import requests
from selenium import webdriver
from selenium.common.exceptions import NoSuchElementException, StaleElementReferenceException, WebDriverException
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

SECRET = "the-secret-of-the-browser-test"
FLAGS = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=1280,900",
]


class Browser:
    """Chromium on one site, seen as a visitor sees it."""

    def __init__(self, driver, url):
        self.driver, self.url = driver, url
        self.wait = WebDriverWait(
            driver, 15, 0.05, ignored_exceptions=[NoSuchElementException, StaleElementReferenceException]
        )

    def open(self, path):
        self.driver.get(self.url + path)

    def element(self, name):
        return self.wait.until(lambda driver: driver.find_element(By.CSS_SELECTOR, f'[data-testid="{name}"]'))

    def click(self, name):
        self.until(lambda: self.element(name).click() or True, f"{name} to be clickable")

    def fill(self, name, text):
        field = self.element(name)
        field.clear()
        field.send_keys(text)

    def sees(self, name, text):
        """Waits until the element holds the text."""
        self.until(lambda: text in self.element(name).text, f"“{text}” in {name}")

    def sees_not(self, name):
        """Waits until there is no such element."""
        self.until(lambda: not self.driver.find_elements(By.CSS_SELECTOR, f'[data-testid="{name}"]'), f"no {name}")

    def until(self, condition, what):
        def attempt(_):
            try:
                return condition()
            except WebDriverException as error:
                # What the driver says of an element whose page is just being replaced, if it does not say "stale".
                if "does not belong to the document" in str(error):
                    return False
                raise

        self.wait.until(attempt, f"waited in vain for {what} on {self.driver.current_url}")

    def session_cookie(self):
        return self.driver.get_cookie("session")

    def restart(self):
        """What closing the browser does to its cookies: those without an expiry are gone."""
        for cookie in self.driver.get_cookies():
            if "expiry" not in cookie:
                self.driver.delete_cookie(cookie["name"])


@contextlib.contextmanager
def started(chromium, chromedriver, profile, javascript=True):
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for flag in [*FLAGS, f"--user-data-dir={profile}"]:
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    if not javascript:
        options.add_experimental_option("prefs", {"profile.managed_default_content_settings.javascript": 2})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(chromedriver))
    try:
        yield driver
    finally:
        driver.quit()


@contextlib.contextmanager
def without_complaints(driver):
    """Afterwards the console must be empty of errors."""
    driver.get_log("browser")
    yield
    complaints = [entry["message"] for entry in driver.get_log("browser") if entry["level"] == "SEVERE"]
    assert not complaints


@pytest.fixture(scope="module", params=["with JavaScript", "without JavaScript"])
def driver(request, chromium, chromedriver, tmp_path_factory):
    with started(chromium, chromedriver, tmp_path_factory.mktemp("profile"), request.param == "with JavaScript") as driver:
        yield driver


@pytest.fixture
def browser(driver, start_tour):
    """A fresh visitor of a fresh tour; afterwards the console must be empty of errors."""
    with start_tour(SECRET) as site:
        driver.get(site.url + "/")
        driver.delete_all_cookies()
        with without_complaints(driver):
            yield Browser(driver, site.url)


def log_in(browser, name="alice", remember=False):
    browser.open("/login")
    browser.fill("username", name)
    if remember:
        browser.click("remember")
    browser.click("log-in")
    browser.sees("account", f"Logged in as {name}")


def test_login_greets_and_logout_forgets(browser):
    log_in(browser)
    browser.sees("flash", "Welcome, alice")
    browser.sees("entries", "username")
    browser.click("log-out")
    browser.sees("account", "You are not logged in")
    log_in(browser)
    browser.sees("flash", "Welcome back, alice")


def test_the_counter_counts_and_starts_again(browser):
    browser.open("/counter")
    for visits in range(1, 5):
        browser.sees("visits", str(visits))
        browser.click("visit-again")
    browser.sees("visits", "5")
    browser.click("reset")
    browser.sees("visits", "1")


def test_a_flash_is_shown_once(browser):
    browser.open("/flash")
    browser.fill("flash-title", "Saved <b>now</b>")
    browser.click("flash-send")
    browser.sees("flash", "Saved <b>now</b>")
    browser.open("/flash")
    browser.sees_not("flash")
    browser.click("flash-send")
    browser.sees("flash", "Title is required!")
    assert browser.element("flash").get_attribute("data-category") == "error"


def test_a_remembered_login_survives_the_browser(browser):
    log_in(browser)
    assert "expiry" not in browser.session_cookie()
    browser.restart()
    browser.open("/account")
    browser.sees("account", "You are not logged in")

    log_in(browser, remember=True)
    assert "expiry" in browser.session_cookie()
    browser.restart()
    browser.open("/account")
    browser.sees("account", "Logged in as alice")

    browser.open("/remember")
    browser.click("forget")
    browser.sees("permanent", "not permanent")
    browser.restart()
    browser.open("/account")
    browser.sees("account", "You are not logged in")


def test_the_todo_list_is_for_who_is_logged_in(browser):
    browser.open("/todo")
    browser.element("log-in")  # a stranger is led to the login form
    log_in(browser)
    browser.open("/todo")
    for title in ["Buy milk", "'); DROP TABLE todos; --"]:
        browser.fill("todo-title", title)
        browser.click("todo-add")
        browser.sees("todos", title)
    browser.click("todo-toggle")
    browser.until(lambda: browser.element("todo-toggle").get_attribute("aria-pressed") == "true", "the first to be done")
    browser.click("todo-delete")
    browser.until(lambda: "Buy milk" not in browser.element("todos").text, "the first to be gone")
    browser.sees("todos", "DROP TABLE")

    log_in(browser, "bob")
    browser.open("/todo")
    browser.sees("todos", "Nothing to do")


def test_a_tampered_cookie_is_refused_and_can_be_put_back(browser):
    log_in(browser)
    good = browser.session_cookie()["value"]
    browser.open("/tamper")
    browser.sees("tamper-verdict", "Accepted")
    browser.click("tamper-send")
    browser.sees("tamper-verdict", "Refused")
    browser.sees("tamper-verdict", "bad_signature")
    assert browser.session_cookie()["value"] != good
    browser.open("/account")
    browser.sees("account", "You are not logged in")
    browser.open("/tamper")
    browser.click("restore")
    browser.sees("tamper-verdict", "Accepted")
    browser.open("/account")
    browser.sees("account", "Logged in as alice")


def test_a_device_is_logged_out_from_another_one(browser):
    browser.open("/devices")
    browser.sees("devices", "You are not logged in")
    with requests.Session() as phone:
        elsewhere(browser.url, phone)
        log_in(browser)
        browser.open("/devices")
        browser.sees("this-device", "Chrome on Linux")
        browser.sees("other-device", "Firefox on Android")
        browser.click("log-out-there")
        browser.sees("flash", "Logged out there")
        browser.sees_not("other-device")
        assert "You are not logged in" in phone.get(browser.url + "/account").text

        elsewhere(browser.url, phone)
        browser.open("/devices")
        browser.click("log-out-others")
        browser.sees("flash", "Logged out everywhere else: 1")
        browser.sees_not("other-device")
        assert "You are not logged in" in phone.get(browser.url + "/account").text
    browser.click("log-out-here")
    browser.sees("account", "You are not logged in")


def elsewhere(url, phone, name="alice"):
    """The same visitor, on a phone."""
    phone.trust_env = False
    phone.headers["User-Agent"] = "Mozilla/5.0 (Android 16; Mobile; rv:140.0) Gecko/140.0 Firefox/140.0"
    phone.post(url + "/login", {"username": name}, headers={"Origin": url})
    assert f"Logged in as <strong>{name}" in phone.get(url + "/account").text


def test_the_first_name_stays_until_a_new_session(browser):
    browser.open("/name")
    browser.fill("first-name", "Zoë")
    browser.click("save-name")
    browser.sees("greeting", "Zoë")
    browser.click("clear")
    browser.sees_not("greeting")
    assert browser.session_cookie() is None


def test_plain_cookies_are_set_and_deleted(browser):
    browser.open("/cookies")
    browser.click("cookie-set")
    browser.sees("cookie-value", "John")
    browser.click("cookie-delete")
    browser.sees("cookie-value", "No cookie called username")


def test_the_keyboard_alone_reaches_the_page(browser):
    browser.open("/counter")
    body = browser.driver.find_element(By.TAG_NAME, "body")
    body.send_keys(Keys.TAB)
    skip = browser.driver.switch_to.active_element
    assert skip.get_attribute("class") == "skip"
    skip.send_keys(Keys.ENTER)
    browser.until(lambda: browser.driver.current_url.endswith("#main"), "the skip link to lead to the page")


LOOKS = [(width, scheme) for width in (1280, 390) for scheme in ("light", "dark")]


def test_each_page_fits_wide_and_narrow_light_and_dark(chromium, chromedriver, start_tour, tmp_path, pytestconfig):
    """No page is wider than the window. With `--screenshots=FOLDER` a picture of each is kept."""
    folder = pytestconfig.getoption("screenshots")
    with start_tour(SECRET) as site:
        with started(chromium, chromedriver, tmp_path / "profile") as driver:
            browser = Browser(driver, site.url)
            furnish(browser)
            browser.open("/")
            links = driver.find_elements(By.CSS_SELECTOR, "nav.pages a")
            paths = sorted({"/", "/login", *(link.get_dom_attribute("href") for link in links)} - {"/tamper"})
            too_wide = []
            for width, scheme in LOOKS:
                look(driver, width, scheme)
                for path in [*paths, "/tamper"]:
                    browser.open(path)
                    wide = driver.execute_script("return document.documentElement.scrollWidth")
                    too_wide += [(path, width, scheme, wide)] if wide > width else []
                    picture(driver, folder, path.strip("/") or "home", width, scheme)
                browser.click("tamper-send")
                browser.sees("tamper-verdict", "Refused")
                picture(driver, folder, "tamper-refused", width, scheme)
                browser.click("restore")
                browser.sees("tamper-verdict", "Accepted")
            assert not too_wide


def furnish(browser):
    """Something to see on each page."""
    with requests.Session() as phone:
        elsewhere(browser.url, phone)
    log_in(browser)
    browser.open("/name")
    browser.fill("first-name", "Ada")
    browser.click("save-name")
    browser.sees("greeting", "Ada")
    browser.open("/todo")
    for title in ["Hang up the coat", "Keep the ticket", "Read what Flask wrote"]:
        browser.fill("todo-title", title)
        browser.click("todo-add")
        browser.sees("todos", title)
    browser.click("todo-toggle")
    browser.until(lambda: browser.element("todo-toggle").get_attribute("aria-pressed") == "true", "the first to be done")


def look(driver, width, scheme, height=900):
    driver.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600},
    )
    features = {"prefers-color-scheme": scheme, "prefers-reduced-motion": "reduce"}
    driver.execute_cdp_cmd(
        "Emulation.setEmulatedMedia", {"features": [{"name": name, "value": value} for name, value in features.items()]}
    )


def picture(driver, folder, page, width, scheme):
    """Keeps a picture of the whole page."""
    if folder is None:
        return
    look(driver, width, scheme, driver.execute_script("return document.documentElement.scrollHeight"))
    shot = driver.execute_cdp_cmd("Page.captureScreenshot", {})
    look(driver, width, scheme)
    Path(folder).mkdir(parents=True, exist_ok=True)
    (Path(folder) / f"{page}-{width}-{scheme}.png").write_bytes(base64.b64decode(shot["data"]))
