"""A real browser looks at a store through `cloakroom inspect`, and ends sessions there. The pages have no script."""

import contextlib
import os
import random
import sqlite3
import subprocess
import time
from datetime import datetime, timezone

import msgspec
import pytest
from test_browser import LOOKS, Browser, look, picture, started, without_complaints

DAY = 24 * 60 * 60
SECRET_WORDS = ["blue-teapot", "ada@example.org", "bob@example.org"]


@pytest.fixture
def store(cloakroom, tmp_path):
    """A database with sessions as Flask-Session writes them, and one entry that nobody can read."""
    url = f"sqlite:{tmp_path}/sessions.db"
    subprocess.run([cloakroom, "sessions", "prepare", "--store", url], check=True, capture_output=True)
    now, chance = int(time.time()), random.Random(7)
    rows = []
    for number in range(240):
        age = int(chance.expovariate(1 / (4 * DAY)))
        session = {"csrf_token": chance.randbytes(20).hex()}
        if number % 5:
            session["_created"] = now - age
        if number % 3 == 0:
            session["_user_id"] = ["ada@example.org", "bob@example.org", f"user-{number}"][min(number // 9, 2)]
            session["_fresh"] = number % 2 == 0
        if number % 4 == 0:
            session["cart"] = [{"item": "blue-teapot", "count": n} for n in range(chance.choice([1, 3, 8, 20, 60]))]
        if number % 7 == 0:
            session["_permanent"] = True
        if number == 11:
            session["search_results_of_the_last_month"] = "x" * 20_000
        left = chance.choice([900, 6 * 60 * 60, 3 * DAY, 20 * DAY, 31 * DAY])
        rows.append((f"session:{chance.randbytes(32).hex()}", msgspec.msgpack.encode(session), now + left))
    rows.append(("session:broken", b"\xff\xff", now + DAY))
    with contextlib.closing(sqlite3.connect(tmp_path / "sessions.db")) as database, database:
        for key, data, expiry in rows:
            expiry = datetime.fromtimestamp(expiry, timezone.utc).strftime("%Y-%m-%d %H:%M:%S.%f")
            database.execute("INSERT INTO sessions (session_id, data, expiry) VALUES (?, ?, ?)", (key, data, expiry))
    return url


@contextlib.contextmanager
def inspecting(cloakroom, store, *arguments):
    """`cloakroom inspect` on a free port; gives the address that it prints."""
    process = subprocess.Popen(
        [cloakroom, "inspect", "--port", "0", *arguments],
        env={**os.environ, "SESSION_STORE": store},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        yield process.stdout.readline().strip()
    finally:
        process.terminate()
        process.wait(timeout=10)
        process.stdout.close()


@contextlib.contextmanager
def looking(chromium, chromedriver, profile, address, javascript=True):
    """A fresh browser that has opened the address; afterwards the console must be empty of errors."""
    with started(chromium, chromedriver, profile, javascript) as driver, without_complaints(driver):
        browser = Browser(driver, address.split("/?")[0])
        driver.get(address)
        browser.sees("progress", "all that are there")
        yield browser


def test_whoever_has_the_address_looks_and_ends_sessions(cloakroom, store, chromium, chromedriver, tmp_path):
    with inspecting(cloakroom, store) as address:
        with looking(chromium, chromedriver, tmp_path / "profile", address, javascript=False) as browser:
            driver = browser.driver
            assert driver.current_url == browser.url + "/"
            browser.sees("sessions", "241")
            browser.sees("layouts", "unreadable")
            browser.sees("keys", "search_results_of_the_last_month")
            browser.sees("sizes", "1 has more than the 4096 bytes")
            browser.sees("times", "192 of them")
            browser.click("look-again")
            browser.sees("progress", "241 entries")

            driver.find_element("link text", "Sessions").click()
            browser.sees("extent", "This is not all")
            first = driver.find_element("css selector", '[data-testid="session"] a').text
            browser.click("go-on")
            browser.until(lambda: first not in browser.element("sessions").text, "the next page")
            browser.open("/sessions")

            browser.fill("user", "bob@example.org")
            browser.click("look")
            browser.sees("extent", "3 sessions")
            theirs = [link.text for link in driver.find_elements("css selector", '[data-testid="session"] a')]
            driver.find_element("link text", theirs[0]).click()
            browser.sees("facts", "flask msgpack")
            browser.sees("entries", "csrf_token")
            browser.sees("time-left", "left unless it is used or ended")
            driver.back()
            browser.sees("extent", "3 sessions")

            button = f'[aria-label="End the session {theirs[1]}"]'
            driver.find_element("css selector", button).click()
            browser.sees("ended", "1 session has ended")
            browser.sees("extent", "2 sessions")
            driver.back()
            # Somebody else may have been faster, or it is the page of before.
            browser.until(lambda: driver.find_element("css selector", button).click() or True, "the page of before")
            browser.sees("refusal", "it has ended")
            driver.get_log("browser")  # the 404 of a page is said there, too
            browser.open("/sessions?user=bob%40example.org")
            browser.click("end-all")
            browser.sees("ended", "2 sessions have ended")
            browser.sees("of-user", "None whose content can be read")
            browser.open("/")
            browser.click("look-again")
            browser.sees("sessions", "238")

            for path in ["/", "/sessions", f"/sessions/{first}"]:
                browser.open(path)
                assert not [word for word in SECRET_WORDS if word in driver.page_source]


def test_another_browser_is_not_let_in(cloakroom, store, chromium, chromedriver, tmp_path):
    with inspecting(cloakroom, store) as address:
        with started(chromium, chromedriver, tmp_path / "profile") as driver:
            browser = Browser(driver, address.split("/?")[0])
            for path in ["/", "/sessions", "/?token=" + "0" * 64]:
                browser.open(path)
                browser.sees("refusal", "cloakroom inspect")
                assert "241" not in driver.page_source
            driver.get(address)
            browser.sees("sessions", "241")


@pytest.mark.parametrize("reveal", [False, True], ids=["hidden", "revealed"])
def test_inspect_fits_wide_and_narrow_light_and_dark(
    reveal, cloakroom, store, chromium, chromedriver, tmp_path, pytestconfig
):
    """With `--screenshots=FOLDER` a picture of each is kept."""
    folder = pytestconfig.getoption("screenshots")
    name, arguments = ("inspect-revealed", ["--reveal"]) if reveal else ("inspect", [])
    with inspecting(cloakroom, store, *arguments) as address:
        with looking(chromium, chromedriver, tmp_path / "profile", address) as browser:
            driver = browser.driver
            browser.open("/sessions?user=ada%40example.org&key=cart&ended=1")
            session = driver.find_element("css selector", '[data-testid="session"] a').get_attribute("href")
            pages = {
                "overview": "/",
                "sessions": "/sessions",
                "user": "/sessions?user=ada%40example.org&ended=1",
                "session": session.removeprefix(browser.url),
            }
            too_wide = []
            for width, scheme in LOOKS:
                look(driver, width, scheme)
                for page, path in pages.items():
                    browser.open(path)
                    wide = driver.execute_script("return document.documentElement.scrollWidth")
                    too_wide += [(path, width, scheme, wide)] if wide > width else []
                    picture(driver, folder, f"{name}-{page}", width, scheme)
                    shown = [word for word in SECRET_WORDS[:1] if word in driver.page_source]
                    assert bool(shown) == (reveal and page == "session")
            assert not too_wide
