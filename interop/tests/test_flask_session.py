"""Stock Flask-Session and Cloakroom at once on the same entries, with one cookie jar, in each kind of store."""

import json
from email.utils import parsedate_to_datetime

import oracle
import pytest
from conftest import changed_at, expect
from sessions import same
from stores import DATABASES, KINDS, LIFETIME, both, browser, cookie_of, settings

SECRET = "the-secret-that-both-servers-share"
PAIRS = {
    "redis, json": ("redis", {"serialization": "json"}),
    # Flask-Session's own default is a permanent session.
    "redis, signed and permanent": ("redis", {"secret_key": SECRET, "permanent": True}),
    "redis, with defaults of our own": ("redis", {"profile": "default", "refresh_each_request": False}),
    **{kind: (kind, {}) for kind in KINDS},
}


@pytest.fixture(scope="module", params=PAIRS)
def pair(request, site, tmp_path_factory):
    kind, changed = PAIRS[request.param]
    folder = tmp_path_factory.mktemp("stores")
    with both(site, folder, settings(kind, folder, **changed)) as pair:
        yield pair


@pytest.fixture(params=["flask to cloakroom", "cloakroom to flask"])
def here_and_there(request, pair):
    """Where something is done, and where it must be seen."""
    if request.param.startswith("flask"):
        return pair.flask, pair.cloakroom
    return pair.cloakroom, pair.flask


def plain(session):
    """Without whether it is permanent."""
    return {key: value for key, value in session.items() if key != "_permanent"}


def test_a_login_here_is_a_login_there_and_a_logout_there_is_one_here(pair, here_and_there, jar):
    here, there = here_and_there
    here.do(jar, "login/alice")
    cookie = cookie_of(jar)
    assert plain(there.session(jar)) == plain(here.session(jar)) == {"user": "alice"}
    there.do(jar, "logout")
    assert cookie_of(jar) is None
    with browser(cookie) as thief:
        assert plain(here.session(thief)) == plain(there.session(thief)) == {}
    assert pair.entries.bytes(cookie) is None


def test_visits_are_counted_across_both_servers(pair, jar):
    for visits in range(1, 9):
        server = pair.flask if visits % 2 else pair.cloakroom
        assert server.do(jar, "count") == str(visits)
    assert plain(pair.flask.session(jar)) == plain(pair.cloakroom.session(jar)) == {"visits": 8}


def test_a_flash_here_is_shown_once_there(here_and_there, jar):
    here, there = here_and_there
    here.do(jar, "set", '{"kept": 1}')
    here.do(jar, "flash/success", "Saved ✓ <b>")
    there.do(jar, "flash/error", "Title is required!")
    here.do(jar, "flash/message", 'Careful, "quotes"')
    shown = [["success", "Saved ✓ <b>"], ["error", "Title is required!"], ["message", 'Careful, "quotes"']]
    assert json.loads(there.do(jar, "flashes")) == shown
    assert json.loads(there.do(jar, "flashes")) == json.loads(here.do(jar, "flashes")) == []
    assert plain(here.session(jar)) == {"kept": 1}


def test_a_permanent_session_is_permanent_there_and_lives_as_long(pair, here_and_there, jar):
    here, there = here_and_there
    here.do(jar, "login/alice")
    for switch in ["on", "off"]:
        here.do(jar, f"permanent/{switch}")
        for server in here_and_there:
            answer = expect(200, server.ask(jar, "count"))
            header = answer.headers.get("Set-Cookie", "")
            if switch == "on":
                expires = parsedate_to_datetime(header.partition("Expires=")[2].partition(";")[0])
                age = expires - parsedate_to_datetime(answer.headers["Date"])
                assert abs(age.total_seconds() - LIFETIME) <= 60
            else:
                assert "Expires" not in header and "Max-Age" not in header
            assert server.do(jar, "permanent") == str(switch == "on").lower()
            # On the server, either kind lives as long.
            assert abs(pair.entries.seconds_left(cookie_of(jar)) - LIFETIME) <= 60
    assert there.session(jar) == here.session(jar) == {"_permanent": False, "user": "alice", "visits": 4}


def test_a_new_id_here_is_the_id_there_and_the_old_one_is_dead(pair, here_and_there, jar):
    here, there = here_and_there
    here.do(jar, "set", '{"cart": [1, 2]}')
    old = cookie_of(jar)
    here.do(jar, "regenerate")
    new = cookie_of(jar)
    assert new != old
    assert plain(there.session(jar)) == {"cart": [1, 2]}
    assert pair.entries.bytes(old) is None
    with browser(old) as thief:
        assert plain(there.session(thief)) == plain(here.session(thief)) == {}


def test_a_session_emptied_key_by_key_is_gone_in_both(pair, here_and_there, jar):
    here, there = here_and_there
    here.do(jar, "set", '{"one": 1, "two": 2}')
    cookie = cookie_of(jar)
    there.do(jar, "delete/one")
    assert plain(here.session(jar)) == {"two": 2}
    here.do(jar, "delete/two")
    assert cookie_of(jar) is None
    assert pair.entries.bytes(cookie) is None


def test_an_id_that_nobody_gave_out_is_taken_by_neither(pair, jar):
    for server in (pair.flask, pair.cloakroom):
        with browser("A" * 43) as jar:
            server.do(jar, "login/mallory")
            assert [cookie.value for cookie in jar.cookies if cookie.value != "A" * 43]
        assert pair.entries.bytes("A" * 43) is None


def test_the_same_clicks_leave_the_same_bytes(pair):
    """To the byte what the other writes, and what msgspec makes of the same dict. Pickle has many forms for one value."""
    left = []
    for server in (pair.flask, pair.cloakroom):
        with browser() as jar:
            steps = []
            server.do(jar, "set", '{"zebra": 1, "name": "Zoë 🦀", "alpha": {"z": [1.5, null], "a": true}}')
            steps.append(pair.entries.bytes(cookie_of(jar)))
            for step in ["login/alice", "count", "permanent/on", "flash/success", "count", "delete/zebra", "permanent/off"]:
                server.do(jar, step, "Saved" if step.startswith("flash") else None)
                steps.append(pair.entries.bytes(cookie_of(jar)))
            left.append(steps)
    theirs, ours = left
    if pair.settings["serialization"] == "pickle":
        theirs, ours = ([pair.entries.decode(step) for step in steps] for steps in left)
        assert [list(step.items()) for step in ours] == [list(step.items()) for step in theirs]
    else:
        assert ours == theirs
        assert ours == [pair.entries.encode(pair.entries.decode(step)) for step in ours]


# What every serialization carries, as tagged JSON.
CARRIED = [
    "null",
    "true",
    "0",
    "-1",
    "255",
    "-32769",
    "18446744073709551615",
    "-9223372036854775808",
    "1.0",
    "-0.0",
    "0.1",
    "1e+16",
    "1e-06",
    "5e-324",
    '""',
    r'"Gr\u00fc\u00dfe \ud83e\udd80 \u0000\u007f \u2028 \" \\"',
    json.dumps("long " * 5_000),
    '{" b":"AP8="}',
    "[1,[],[2,{}]]",
    '{" t":[1,{" t":[]}]}',
    '{"b":{"z":1,"a":{"0":1}},"a":2}',
    '{" u":"12345678123456781234567812345678"}',
    '{" d":"Wed, 21 Oct 2015 07:28:00 GMT"}',
    json.dumps([*range(300)]),
    json.dumps({f"key {n}": n for n in range(40)}),
]


def test_every_type_goes_there_and_back(pair, here_and_there, jar):
    """Put in here, it is in the store what Flask-Session would have written, and reads there and here the same."""
    here, there = here_and_there
    content = {f"value {n}": oracle.tagged.loads(text) for n, text in enumerate(CARRIED)}
    here.do(jar, "set", ordered(CARRIED))
    if pair.settings["serialization"] == "pickle":
        assert same(plain(pair.entries.content(cookie_of(jar))), content)
    else:
        permanent = {"_permanent": True} if pair.settings["permanent"] else {}
        assert pair.entries.bytes(cookie_of(jar)) == pair.entries.encode({**permanent, **content})
    read = here.do(jar, "session")
    assert there.do(jar, "session") == read
    there.do(jar, "copy")
    stored = pair.entries.content(cookie_of(jar))
    for key in content:
        assert same(stored[f"{key} copied"], stored[key]), key
    copied = there.do(jar, "session")
    assert here.do(jar, "session") == copied != read


def ordered(texts):
    """One session of all the values, in this order."""
    return "{" + ", ".join(f'"value {n}": {text}' for n, text in enumerate(texts)) + "}"


# What a serialization has no form for.
NOT_CARRIED = {
    "msgpack": ["18446744073709551616", '{" m":"<b>bold</b>"}', r'"half \ud800 a pair"'],
    "json": ['{" m":"<b>bold</b>"}', r'"half \ud800 a pair"'],
    "pickle": [],
}


def test_what_the_format_has_no_form_for_is_refused_by_both(pair):
    values = NOT_CARRIED[pair.settings["serialization"]]
    if pair.settings["store"] in DATABASES:
        values = values[:1]  # Flask-Session tries three times, with pauses
    for text in values:
        for server in (pair.flask, pair.cloakroom):
            with browser() as jar:
                server.do(jar, "login/alice")
                assert server.ask(jar, "set", f'{{"value": {text}}}').status_code == 500, text
                assert plain(pair.entries.content(cookie_of(jar))) == {"user": "alice"}


ONLY_PICKLED = ['{" m":"<b>bold</b>"}', "1208925819614629174706176", "-1208925819614629174706176", "NaN", "-Infinity", r'"half \ud800 a pair"']


def test_what_only_pickle_carries_goes_there_and_back(pair, here_and_there, jar):
    if pair.settings["serialization"] == "pickle":
        here, there = here_and_there
        here.do(jar, "set", ordered(ONLY_PICKLED))
        there.do(jar, "copy")
        stored = pair.entries.content(cookie_of(jar))
        for n, text in enumerate(ONLY_PICKLED):
            assert same(stored[f"value {n}"], oracle.tagged.loads(text))
            assert same(stored[f"value {n} copied"], oracle.tagged.loads(text))


def test_a_session_that_holds_only_permanent_is_none_in_both(pair, jar):
    for server in (pair.flask, pair.cloakroom):
        server.do(jar, "permanent/on")
        assert cookie_of(jar) is None
        assert server.session(jar) in ({}, {"_permanent": True})


def test_a_signed_id_from_here_is_good_there_and_a_changed_one_in_neither(site, tmp_path):
    with both(site, tmp_path, settings("redis", tmp_path, secret_key=SECRET)) as pair:
        for here, there in [(pair.flask, pair.cloakroom), (pair.cloakroom, pair.flask)]:
            with browser() as jar:
                here.do(jar, "login/alice")
                cookie = cookie_of(jar)
                session_id, _, signature = cookie.partition(".")
                assert len(signature) == 27
                assert there.session(jar) == here.session(jar) == {"user": "alice"}
                there.do(jar, "permanent/on")
                assert cookie_of(jar) == cookie  # an HMAC-SHA1 of the same id by the same key
            for wrong in [session_id, f"{session_id}.", changed_at(cookie, -1), changed_at(cookie, 0)]:
                with browser(wrong) as jar:
                    assert here.session(jar) == there.session(jar) == {}, wrong


@pytest.mark.parametrize("kind", [*DATABASES, "dynamodb"])
def test_each_side_works_on_the_table_that_the_other_made(site, tmp_path, kind):
    made = []
    for ours_first in (True, False):
        with both(site, tmp_path, settings(kind, tmp_path, make_table=ours_first)) as pair:
            for here, there in [(pair.flask, pair.cloakroom), (pair.cloakroom, pair.flask)]:
                with browser() as jar:
                    here.do(jar, "login/alice")
                    old = cookie_of(jar)
                    there.do(jar, "count")
                    there.do(jar, "regenerate")
                    assert here.session(jar) == {"user": "alice", "visits": 1}
                    assert abs(pair.entries.seconds_left(cookie_of(jar)) - LIFETIME) <= 60
                    assert pair.entries.bytes(old) is None
                    there.do(jar, "logout")
                    assert here.session(jar) == {}
            made.append(pair.entries.columns())
    ours, theirs = made
    if kind == "mysql":
        # Flask-SQLAlchemy's holds 64 KiB of a session.
        theirs = [("data", "longblob", 2**32 - 1) if column[0] == "data" else column for column in theirs]
    assert ours == theirs
