"""Real Flask-WTF and Flask-Login beside Cloakroom, with one secret and one cookie jar.

Each promise is tried in both directions: `here` is where something is done, `there` is where it must be seen.
"""

import json
import re
import sys
import time
from contextlib import contextmanager

import pytest
import requests
from conftest import INTEROP, changed_at, expect, running
from itsdangerous import TimestampSigner, URLSafeTimedSerializer

SECRET, OTHER_SECRET = "the-secret-that-both-servers-share", "a-secret-that-is-for-forms-alone"


class Neighbour:
    """One of the servers, seen with a jar and a browser's name."""

    def __init__(self, site):
        self.url = site.url

    def page(self, jar):
        return expect(200, jar.get(self.url + "/form")).text

    def token(self, jar):
        return re.search('name="csrf_token" value="([^"]+)"', self.page(jar))[1]

    def post(self, jar, path, data=None, **headers):
        return jar.post(self.url + path, data, headers={name.replace("_", "-"): value for name, value in headers.items()})

    def do(self, jar, path, data=None, **headers):
        """A form with its own token; what the server says of the visitor."""
        data = {**(data or {}), "csrf_token": self.token(jar)}
        return json.loads(expect(200, self.post(jar, path, data, **headers)).text)

    def who(self, jar, **headers):
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        return json.loads(expect(200, jar.get(self.url + "/who", headers=headers)).text)

    def session(self, jar):
        return json.loads(expect(200, jar.get(self.url + "/session")).text)


@pytest.fixture
def start(neighbour, tmp_path):
    """Starts both servers with the same settings: `with start(WTF_CSRF_TIME_LIMIT="60") as (flask, cloakroom)`."""
    @contextmanager
    def start(**settings):
        settings = {"FLASK_SECRET_KEY": SECRET, **{f"FLASK_{name}": value for name, value in settings.items()}}
        flask = running([sys.executable, str(INTEROP / "neighbours_app.py")], tmp_path / "flask.log", **settings)
        cloakroom = running([neighbour], tmp_path / "cloakroom.log", **settings)
        with flask as flask, cloakroom as cloakroom:
            yield Neighbour(flask), Neighbour(cloakroom)

    return start


@pytest.fixture(params=["flask to cloakroom", "cloakroom to flask"])
def ordered(request):
    """Puts the two servers into the order of here and there."""
    return (lambda pair: pair) if request.param.startswith("flask") else (lambda pair: pair[::-1])


@pytest.fixture
def pair(start, ordered):
    with start() as pair:
        yield ordered(pair)


def cookie(jar, name):
    """A cookie of the jar, or None."""
    found = [cookie for cookie in jar.cookies if cookie.name == name]
    assert len(found) <= 1
    return found[0].value if found else None


def restart(jar):
    """The browser is closed and opened again."""
    jar.cookies.clear_session_cookies()
    assert cookie(jar, "session") is None


# Flask-WTF


def test_a_form_of_here_may_be_posted_there(pair, jar):
    here, there = pair
    token = here.token(jar)
    for server in (there, here, there):
        assert expect(200, server.post(jar, "/form", {"csrf_token": token, "name": "Zoë & Co"})).text == "Zoë & Co"
    # A form that there renders into the same session signs the same value.
    value = here.session(jar)["csrf_token"]
    assert re.fullmatch("[0-9a-f]{40}", value)
    token = there.token(jar)
    assert there.session(jar)["csrf_token"] == value
    expect(200, here.post(jar, "/form", {"csrf_token": token, "name": "Ada"}))


def test_pages_of_one_second_have_the_same_bytes(pair, jar):
    here, there = pair
    here.page(jar)
    for _ in range(20):
        second = int(time.time())
        pages = [here.page(jar), there.page(jar)]
        if int(time.time()) == second:
            break
    assert pages[0] == pages[1]


def test_scripts_send_the_token_of_here_there(pair, jar):
    here, there = pair
    token = re.search('name="csrf-token" content="([^"]+)"', here.page(jar))[1]
    for header in ("X-CSRFToken", "X-CSRF-Token"):
        assert jar.post(there.url + "/api", "{}", headers={header: token, "Content-Type": "application/json"}).ok
    assert jar.post(there.url + "/api", "{}", headers={"X-Token": token}).status_code == 400


def dated(value, age, secret=SECRET, salt="wtf-csrf-token"):
    """A token that Flask-WTF would have made so many seconds ago."""

    class Past(TimestampSigner):
        def get_timestamp(self):
            return int(time.time()) - age

    return URLSafeTimedSerializer(secret, salt=salt, signer=Past).dumps(value)


def test_what_one_refuses_the_other_refuses_and_for_the_same_reason(pair, jar):
    here, there = pair
    token, value = here.token(jar), here.session(jar)["csrf_token"]
    with requests.Session() as stranger:
        foreign = here.token(stranger)
    changed = changed_at(token, -1)
    cases = [
        (token, 200, None, None),
        (dated(value, 3_590), 200, None, None),
        (dated(value, 3_610), 400, "has expired", "(expired)"),
        (foreign, 400, "do not match", "(mismatch)"),
        (changed, 400, "is invalid", "(bad_signature)"),
        (dated(value, 0, secret=OTHER_SECRET), 400, "is invalid", "(bad_signature)"),
        (dated(value, 0, salt="another purpose"), 400, "is invalid", "(bad_signature)"),
        (value, 400, "is invalid", "(bad_signature)"),
        ("", 400, "token is missing", "(missing)"),
        (None, 400, "token is missing", "(missing)"),
    ]
    for token, status, theirs, ours in cases:
        for server in pair:
            answer = server.post(jar, "/form", {"csrf_token": token, "name": "Ada"})
            assert answer.status_code == status, (token, answer.text)
            if status == 400:
                assert theirs in answer.text or ours in answer.text
    with requests.Session() as nobody:
        for server in pair:
            answer = server.post(nobody, "/form", {"csrf_token": dated(value, 0), "name": "Ada"})
            assert answer.status_code == 400
            assert "session token is missing" in answer.text or "(missing_session_token)" in answer.text


def test_an_exempt_path_needs_no_token(pair, jar):
    for server in pair:
        assert server.post(jar, "/hook", {"paid": "1"}).status_code == 200
        assert server.post(jar, "/api", {"paid": "1"}).status_code == 400


@pytest.mark.parametrize("limit, age, status", [("60", 50, 200), ("60", 70, 400), ("null", 300_000_000, 200)])
def test_the_time_limit_is_the_one_that_both_are_given(start, jar, limit, age, status):
    with start(WTF_CSRF_TIME_LIMIT=limit) as pair:
        pair[0].page(jar)
        token = dated(pair[0].session(jar)["csrf_token"], age)
        for server in pair:
            assert server.post(jar, "/form", {"csrf_token": token, "name": "Ada"}).status_code == status


def test_a_key_for_forms_alone_is_shared_too(start, ordered, jar):
    with start(WTF_CSRF_SECRET_KEY=OTHER_SECRET) as pair:
        here, there = ordered(pair)
        token = here.token(jar)
        assert there.post(jar, "/form", {"csrf_token": token, "name": "Ada"}).status_code == 200
        token = dated(here.session(jar)["csrf_token"], 0)
        for server in pair:
            assert server.post(jar, "/form", {"csrf_token": token, "name": "Ada"}).status_code == 400


# Flask-Login


def test_a_login_here_is_a_login_there_and_a_logout_there_is_one_here(pair, jar):
    here, there = pair
    assert here.who(jar) == there.who(jar) == {"user": None, "fresh": False}
    assert here.do(jar, "/login", {"user": "Zoë|1"}) == {"user": "Zoë|1", "fresh": True}
    assert there.who(jar) == here.who(jar) == {"user": "Zoë|1", "fresh": True}
    assert cookie(jar, "remember_token") is None
    assert there.do(jar, "/logout") == {"user": None, "fresh": False}
    assert here.who(jar) == there.who(jar) == {"user": None, "fresh": False}


def test_the_session_holds_what_flask_login_keeps_there(pair):
    kept = []
    for server in pair:
        with requests.Session() as jar:
            server.do(jar, "/login", {"user": "alice", "remember": "true", "seconds": "600"})
            kept.append({key: value for key, value in server.session(jar).items() if key not in ("csrf_token", "_auth_time", "_created")})
    assert kept[0] == kept[1]
    assert set(kept[0]) == {"_user_id", "_fresh", "_id", "_remember_seconds"}


def test_who_asked_here_to_be_remembered_is_known_there_after_a_restart(pair, jar):
    here, there = pair
    here.do(jar, "/login", {"user": "alice", "remember": "true"})
    token = cookie(jar, "remember_token")
    assert re.fullmatch("alice[|][0-9a-f]{128}", token)
    restart(jar)
    assert there.who(jar) == {"user": "alice", "fresh": False}
    assert here.who(jar) == there.who(jar) == {"user": "alice", "fresh": False}
    assert here.do(jar, "/confirm") == {"user": "alice", "fresh": True}
    assert there.who(jar) == {"user": "alice", "fresh": True}
    assert cookie(jar, "remember_token") == token
    there.do(jar, "/logout")
    assert cookie(jar, "remember_token") is None
    restart(jar)
    assert here.who(jar) == there.who(jar) == {"user": None, "fresh": False}


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"REMEMBER_COOKIE_NAME": "again", "REMEMBER_COOKIE_DURATION": "600", "REMEMBER_COOKIE_PATH": "/"},
        {"REMEMBER_COOKIE_SECURE": "true", "REMEMBER_COOKIE_HTTPONLY": "false", "REMEMBER_COOKIE_SAMESITE": "Lax"},
    ],
)
def test_both_set_the_same_cookie(start, settings):
    with start(**settings) as pair:
        for form in [{}, {"seconds": "86400"}]:
            set_cookies = []
            for server in pair:
                with requests.Session() as jar:
                    data = {"user": "Zoë", "remember": "true", "csrf_token": server.token(jar), **form}
                    answer = expect(200, server.post(jar, "/login", data))
                    [header] = [
                        header
                        for header in answer.raw.headers.getlist("Set-Cookie")
                        if not header.startswith("session=")
                    ]
                    expires = re.search("Expires=([^;]+)", header)[1]
                    set_cookies.append((header.replace(expires, ""), time.mktime(time.strptime(expires, "%a, %d %b %Y %H:%M:%S GMT"))))
            assert set_cookies[0][0] == set_cookies[1][0]
            assert abs(set_cookies[0][1] - set_cookies[1][1]) <= 60


def test_a_changed_remember_token_is_nobodys_in_both(pair, jar):
    here, there = pair
    here.do(jar, "/login", {"user": "alice", "remember": "true"})
    token = cookie(jar, "remember_token")
    for wrong in [token.replace("alice", "bob"), token[:-1] + ("0" if token[-1] != "0" else "1"), token.upper(), "alice", "alice|"]:
        for server in pair:
            with requests.Session() as thief:
                thief.cookies.set("remember_token", wrong, domain="127.0.0.1")
                assert server.who(thief) == {"user": None, "fresh": False}, wrong


def test_another_browser_is_not_fresh_there(pair, jar):
    here, there = pair
    here.do(jar, "/login", {"user": "alice"}, User_Agent="One/1 (it's \"quoted\")")
    assert there.who(jar, User_Agent="One/1 (it's \"quoted\")") == {"user": "alice", "fresh": True}
    assert there.who(jar, User_Agent="Two/2") == {"user": "alice", "fresh": False}
    assert here.who(jar, User_Agent="One/1 (it's \"quoted\")") == {"user": "alice", "fresh": False}


def test_the_first_forwarded_address_is_the_browsers_in_both(pair, jar):
    here, there = pair
    here.do(jar, "/login", {"user": "alice"}, X_Forwarded_For="192.0.2.7 , 10.0.0.1")
    assert there.who(jar, X_Forwarded_For="192.0.2.7")["fresh"] is True
    assert there.who(jar)["fresh"] is False


def test_where_a_visitor_wanted_to_go_here_is_known_there(start, ordered, jar):
    with start(USE_SESSION_FOR_NEXT="true") as pair:
        here, there = ordered(pair)
        turned_away = jar.get(here.url + "/private?page=2", allow_redirects=False)
        assert turned_away.status_code in (302, 303)
        assert here.session(jar)["next"] == "/private?page=2"
        there.do(jar, "/login", {"user": "alice"})
        assert expect(200, jar.get(there.url + "/next")).text == "/private?page=2"
        assert "next" not in here.session(jar)
        assert expect(200, jar.get(here.url + "/private?page=2")).text == "Private"


def test_without_protection_another_browser_is_as_fresh(start, ordered, jar):
    with start(SESSION_PROTECTION="null") as pair:
        here, there = ordered(pair)
        here.do(jar, "/login", {"user": "alice"}, User_Agent="One/1")
        assert there.who(jar, User_Agent="Two/2") == {"user": "alice", "fresh": True}


def test_strong_protection_ends_the_login_there_and_the_remembered_one(start, ordered, jar):
    with start(SESSION_PROTECTION="strong") as pair:
        here, there = ordered(pair)
        jar.headers["User-Agent"] = "One/1"
        here.do(jar, "/login", {"user": "alice", "remember": "true"})
        assert there.who(jar) == {"user": "alice", "fresh": True}
        assert cookie(jar, "remember_token")
        jar.headers["User-Agent"] = "Two/2"
        assert there.who(jar) == {"user": None, "fresh": False}
        assert cookie(jar, "remember_token") is None
        jar.headers["User-Agent"] = "One/1"
        assert here.who(jar) == there.who(jar) == {"user": None, "fresh": False}


def test_strong_protection_keeps_a_restored_login_only_here(start, jar):
    """Flask-Login restores it without the browser's mark, and so ends it with the next request. We write the mark."""
    with start(SESSION_PROTECTION="strong") as (flask, cloakroom):
        for server, second in [(flask, None), (cloakroom, "alice")]:
            with requests.Session() as jar:
                flask.do(jar, "/login", {"user": "alice", "remember": "true"})
                restart(jar)
                assert server.who(jar) == {"user": "alice", "fresh": False}
                assert server.who(jar) == {"user": second, "fresh": False}
                assert flask.who(jar) == {"user": second, "fresh": False}


def test_the_user_before_is_not_remembered_after_a_login_here(start, jar):
    """Flask-Login leaves the cookie of another user where it is."""
    with start() as (flask, cloakroom):
        for server, after in [(flask, "alice"), (cloakroom, None)]:
            with requests.Session() as jar:
                flask.do(jar, "/login", {"user": "alice", "remember": "true"})
                server.do(jar, "/login", {"user": "bob"})
                restart(jar)
                assert flask.who(jar)["user"] == after


def test_refreshing_is_for_those_who_asked_here(start):
    """Flask-Login gives the cookie to everybody then."""
    with start(REMEMBER_COOKIE_REFRESH_EACH_REQUEST="true") as (flask, cloakroom):
        for server, unasked in [(flask, True), (cloakroom, False)]:
            with requests.Session() as jar:
                server.do(jar, "/login", {"user": "alice"})
                server.who(jar)
                assert (cookie(jar, "remember_token") is not None) == unasked
                server.do(jar, "/login", {"user": "alice", "remember": "true"})
                assert "remember_token=alice" in jar.get(server.url + "/who").headers["Set-Cookie"]
