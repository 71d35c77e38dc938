"""Real Flask and the tour with one secret and one cookie jar: what is done in one is done in the other.

Each promise is tried in both directions: `here` is where something is done, `there` is where it must be seen.
"""

import json
import re
from email.utils import parsedate_to_datetime
from random import Random

import oracle
import pytest
import requests
from conftest import changed_at
from sessions import session

SECRET, OLD_SECRET = "the-secret-that-both-apps-share", "the-secret-of-last-year-in-both"
WEEK = 7 * 24 * 60 * 60


@pytest.fixture(params=["flask to tour", "tour to flask"])
def direction(request):
    return request.param


@pytest.fixture
def pair(start_flask, start_tour, direction):
    """(here, there): both apps, with the same secret."""
    with start_flask(SECRET) as flask, start_tour(SECRET) as tour:
        yield (flask, tour) if direction.startswith("flask") else (tour, flask)


# What the tour notes of a login and of a session's beginning, which Flask does not.
NOTED = {"_auth_time", "_created", "_fresh", "_sid", "_user_id"}


def own(shown):
    """What the visitor did to a session, as `Site.session` shows it."""
    text, permanent = shown
    return {key: value for key, value in oracle.tagged.loads(text).items() if key not in NOTED}, permanent


def words(response):
    """The text of a page without its markup."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", response.text))


def session_cookie(jar):
    """The one session cookie in the jar."""
    [cookie] = [cookie for cookie in jar.cookies if cookie.name == "session"]
    return cookie


def test_a_login_here_is_a_login_there_and_a_logout_there_is_one_here(pair, jar):
    here, there = pair
    here.post(jar, "/login", {"username": "alice"})
    assert "Logged in as alice" in words(there.get(jar, "/account"))
    there.post(jar, "/logout")
    assert "You are not logged in" in words(here.get(jar, "/account"))
    assert json.loads(here.session(jar)[0])["logins"] == 1


def test_a_login_here_is_on_the_list_of_devices_if_the_tour_made_it(pair, direction, jar):
    here, there = pair
    here.send(jar, "/login", {"username": "alice"})
    tour = there if direction.startswith("flask") else here
    page = words(tour.get(jar, "/devices"))
    assert ("This login is on no list" in page) == direction.startswith("flask")
    assert ("this one Logged in" in page) == direction.startswith("tour")
    # Flask's logout is one for the tour's list as well.
    there.send(jar, "/logout")
    assert "You are not logged in" in words(tour.get(jar, "/devices"))


def test_the_same_clicks_leave_the_same_session(pair):
    sessions = []
    for site in pair:
        with requests.Session() as jar:
            for form in [{"username": "alice"}, {"username": "alice", "remember": "yes"}, {"username": "bob"}]:
                site.send(jar, "/login", form)
                sessions.append(own(site.session(jar)))
            site.send(jar, "/name", {"first_name": "Zoë"})
            site.send(jar, "/logout")
            site.send(jar, "/flash", {"title": ""})
            site.send(jar, "/remember", {"remember": "yes"})
            sessions.append(own(site.session(jar)))
    assert sessions[:4] == sessions[4:]


def test_the_second_login_is_welcomed_back_wherever_the_first_was(pair, jar):
    here, there = pair
    here.send(jar, "/login", {"username": "alice"})
    assert there.flashes(jar) == [["success", "Welcome, alice"]]
    there.post(jar, "/logout")
    there.send(jar, "/login", {"username": "alice"})
    assert here.flashes(jar) == [["success", "Welcome back, alice"]]


def test_visits_are_counted_across_both(pair, jar):
    for visits in range(1, 9):
        site = pair[visits % 2]
        assert f"Number of visits: {visits}" in words(site.get(jar, "/counter"))
        assert [json.loads(other.session(jar)[0])["visits"] for other in pair] == [visits, visits]
    pair[0].send(jar, "/counter/reset")
    assert "visits" not in json.loads(pair[1].session(jar)[0])


def test_a_new_session_here_is_a_new_session_there(pair, jar):
    here, there = pair
    there.post(jar, "/name", {"first_name": "Zoë 🦀"})
    assert own(here.session(jar)) == ({"firstName": "Zoë 🦀"}, False)
    assert "Zoë 🦀" in words(here.get(jar, "/name"))
    here.send(jar, "/name/clear")
    assert not [cookie for cookie in jar.cookies if cookie.name == "session"]
    assert there.session(jar) == ("{}", False)


def test_a_flash_here_is_read_once_there(pair, jar):
    here, there = pair
    for title, category in [("Saved ✓ <b>", "success"), ("Careful, \"quotes\"", "warning"), ("", "success"), ("Note", "message")]:
        here.send(jar, "/flash", {"title": title, "category": category})
    expected = [["success", "Saved ✓ <b>"], ["warning", 'Careful, "quotes"'], ["error", "Title is required!"], ["message", "Note"]]
    assert there.flashes(jar) == expected
    assert there.flashes(jar) == here.flashes(jar) == []


def test_a_permanent_session_is_permanent_there(pair, jar):
    here, there = pair
    here.post(jar, "/login", {"username": "alice", "remember": "yes"})
    assert there.session(jar)[1] is True
    for site in pair:
        answer = site.get(jar, "/counter")
        expires = parsedate_to_datetime(re.search("Expires=([^;]+)", answer.headers["Set-Cookie"])[1])
        age = expires - parsedate_to_datetime(answer.headers["Date"])
        assert abs(age.total_seconds() - WEEK) <= 60
        assert session_cookie(jar).expires == expires.timestamp()
    there.post(jar, "/login", {"username": "alice"})
    assert here.session(jar)[1] is False
    assert session_cookie(jar).expires is None


def test_an_old_key_here_is_a_fallback_there_and_the_next_write_signs_anew(start_flask, start_tour, direction, jar):
    starts = (start_flask, start_tour) if direction.startswith("flask") else (start_tour, start_flask)
    with starts[0](OLD_SECRET) as before, starts[1](SECRET, fallbacks=f"older-than-that-and-unused,{OLD_SECRET}") as after:
        before.send(jar, "/login", {"username": "alice"})
        old = session_cookie(jar).value
        assert "Logged in as alice" in words(after.get(jar, "/account"))
        after.get(jar, "/counter")
        new = session_cookie(jar).value
        assert opens(old, OLD_SECRET) and not opens(old, SECRET)
        assert opens(new, SECRET) and not opens(new, OLD_SECRET)
        # `before` does not know the new key: an empty session, not an error.
        assert before.session(jar) == ("{}", False)


def opens(cookie, secret):
    signer = oracle.serializer(secret, ()).make_signer()
    return signer.validate(cookie)


def test_every_value_type_goes_there_and_back(start_flask, start_tour, jar, seed_of_run):
    """Flask stores it, the tour reads it and writes beside it, Flask still has it: each type, to the byte."""
    random = Random(seed_of_run)
    with start_flask(SECRET) as flask, start_tour(SECRET) as tour:
        for content in [*EACH_TYPE, *(small(random) for _ in range(200))]:
            content = {key: kept for key, kept in content.items() if key not in ("visits", "_flashes")}  # pages use these
            jar.cookies.clear()
            stored = store(jar, flask, content)
            assert flask.session(jar)[0] == stored
            assert tour.session(jar)[0] == stored
            tour.get(jar, "/counter")
            began = {"_created": oracle.tagged.loads(tour.session(jar)[0])["_created"]}
            visits = {**oracle.tagged.loads(stored), **began, "visits": 1}
            assert tour.session(jar)[0] == flask.session(jar)[0] == oracle.tagged.dumps(visits)
            tour.send(jar, "/counter/reset")
            after = {**oracle.tagged.loads(stored), **began} if content else {}
            assert flask.session(jar)[0] == oracle.tagged.dumps(after)


def store(jar, flask, content):
    """Puts `content` into Flask's session; returns its tagged JSON."""
    return flask.post(jar, "/session.json", oracle.tagged.dumps(content)).json()["session"]


@pytest.fixture
def seed_of_run(pytestconfig):
    return pytestconfig.getoption("seed")


def small(random):
    """A random session that fits a browser's 4096 bytes with room for a visit count."""
    while True:
        content = session(random)
        if len(oracle.dumps(content, SECRET, 0)) < 3_500 and oracle.tagged.dumps(content) == again(content):
            return content


def again(content):
    return oracle.tagged.dumps(oracle.tagged.loads(oracle.tagged.dumps(content)))


EACH_TYPE = [
    {"value": oracle.tagged.loads(text)}
    for text in [
        "null",
        "true",
        "0",
        "-1208925819614629174706176",
        "1.0",
        "-0.0",
        "1e+16",
        "NaN",
        "-Infinity",
        r'"Gr\u00fc\u00dfe \ud83e\udd80 \u0000\u007f"',
        r'"half \ud800 a pair"',
        '{" b":"AP8="}',
        "[1,[],[2]]",
        '{" t":[1,{" t":[]}]}',
        '{"a":{"b":{" di":{" t__":1}}}}',
        '{" m":"<b>bold</b>"}',
        '{" u":"12345678123456781234567812345678"}',
        '{" d":"Wed, 21 Oct 2015 07:28:00 GMT"}',
    ]
]


def test_plain_cookies_are_set_here_and_read_and_deleted_there(pair, jar):
    here, there = pair
    here.post(jar, "/cookies/set", {"name": "username", "value": "John"})
    assert "John" in words(there.get(jar, "/cookies"))
    here.post(jar, "/cookies/set", {"name": "username", "value": "Jöhn, née; 50% 名前"})
    assert "Jöhn, née; 50% 名前" in words(there.get(jar, "/cookies"))
    there.send(jar, "/cookies/delete")
    assert "username" not in jar.cookies


def test_a_character_changed_here_is_refused_and_put_back_there(pair, jar):
    here, there = pair
    here.send(jar, "/login", {"username": "alice"})
    good = session_cookie(jar).value
    here.send(jar, "/tamper", {"position": "5", "character": ""})
    assert session_cookie(jar).value != good
    assert "Refused" in words(here.get(jar, "/tamper")) and "Refused" in words(there.get(jar, "/tamper"))
    there.send(jar, "/tamper/restore")
    assert session_cookie(jar).value == good
    assert "Logged in as alice" in words(here.get(jar, "/account"))


def test_a_changed_cookie_is_an_empty_session_in_both(pair, jar):
    here, there = pair
    here.send(jar, "/login", {"username": "alice"})
    value = session_cookie(jar).value
    for at in range(0, len(value), 7):
        jar.cookies.clear()
        jar.cookies.set("session", changed_at(value, at), domain="127.0.0.1")
        assert there.session(jar) == here.session(jar) == ("{}", False)
        assert "You are not logged in" in words(there.get(jar, "/account"))
