"""What a real browser says of where a form comes from, and what becomes of the form."""

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait
from test_browser import started
from test_neighbours import start  # noqa: F401, a fixture


@pytest.fixture
def driver(chromium, chromedriver, tmp_path):
    with started(chromium, chromedriver, tmp_path / "profile") as driver:
        yield driver


def text(driver):
    return driver.find_element(By.TAG_NAME, "body").text


def send_form(driver, page, target=None):
    """Opens the page, sends its form to itself or to another address, and returns what the answer says."""
    driver.get(page)
    target = target or page
    driver.execute_script("document.forms[0].elements.name.value = 'Ada'; document.forms[0].action = arguments[0]", target)
    before = driver.find_element(By.TAG_NAME, "form")
    driver.execute_script("document.forms[0].submit()")
    WebDriverWait(driver, 15, 0.05).until(lambda driver: gone(before))
    return text(driver)


def gone(element):
    try:
        element.is_enabled()
    except Exception:  # the page that had it was replaced
        return True
    return False


def test_s64_a_form_of_the_site_itself_is_taken_and_that_of_another_site_is_not(start, driver):
    with start() as (flask, cloakroom):
        own = cloakroom.url + "/form"
        assert send_form(driver, own) == "Ada"
        # The session is the same, and the token of Flask's page is good, but the page is at another port.
        other_port = flask.url + "/form"
        assert "(cross_site)" in send_form(driver, other_port, own)
        # For a browser, the machine's name and its number are two sites.
        other_site = other_port.replace("127.0.0.1", "localhost")
        assert "(cross_site)" in send_form(driver, other_site, own)
        no_site = "data:text/html,<form method=post><input name=name></form>"
        assert "(cross_site)" in send_form(driver, no_site, own)
        assert send_form(driver, own) == "Ada"
