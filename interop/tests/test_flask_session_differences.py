"""Where Cloakroom differs from stock Flask-Session on purpose: each with what Flask-Session does beside it."""

import contextlib
import json
import pickle
import secrets
import subprocess
import time
import zlib

import msgspec
import pytest
from conftest import expect, running
from stores import KINDS, LIFETIME, both, browser, cloakroom, cookie_of, entries, flask_session, settings

SECRET, OLD_SECRET = "the-secret-that-both-servers-share", "the-secret-of-last-year-in-both"


@pytest.fixture(scope="module")
def pair(request, site, tmp_path_factory):
    folder = tmp_path_factory.mktemp("stores")
    with both(site, folder, settings(request.param, folder)) as pair:
        yield pair


@pytest.fixture
def cookie():
    """An id as Flask-Session gives it out."""
    return secrets.token_urlsafe(32)


@pytest.mark.parametrize("pair", KINDS, indirect=True)
def test_t20_flask_session_writes_what_it_only_read_and_cloakroom_does_not(pair, cookie):
    """Bytes that are good and that nobody would write so: who writes them again, shows it."""
    content = {"user": "alice"}
    odd = pickle.dumps(content, 2) if pair.settings["serialization"] == "pickle" else msgspec.json.encode(content)
    pair.entries.store(pair.entries.key(cookie), odd)
    with browser(cookie) as jar:
        assert pair.cloakroom.session(jar) == content
        assert pair.entries.bytes(cookie) == odd
        assert pair.flask.session(jar) == content
        assert pair.entries.bytes(cookie) not in (odd, None)


@pytest.mark.parametrize("pair", KINDS, indirect=True)
def test_what_nobody_can_read_is_an_error_in_flask_session_and_an_empty_session_here(pair, cookie):
    """It stays where it is: it may be another program's, or be read again by a later version."""
    pickled = pair.settings["serialization"] == "pickle"
    broken = b"cno_such_module\nThing\n." if pickled else b"\xa5\xff\xff\xff\xff\xff"
    pair.entries.store(pair.entries.key(cookie), broken)
    with browser(cookie) as jar:
        assert pair.cloakroom.session(jar) == {}
        assert pair.entries.bytes(cookie) == broken
        assert pair.flask.ask(jar, "session").status_code == 500


@pytest.mark.parametrize("pair", ["redis"], indirect=True)
def test_a_pickle_that_would_run_something_is_run_by_flask_session_and_refused_here(pair, cookie, tmp_path):
    """Whoever can write to the store of Flask-Session runs programs on its server."""
    witness = tmp_path / "witness"

    class Harm:
        def __reduce__(self):
            return open, (str(witness), "w")

    pair.entries.store(pair.entries.key(cookie), pickle.dumps(Harm(), 0))
    with browser(cookie) as jar:
        assert pair.cloakroom.session(jar) == {}
        assert not witness.exists()
        pair.flask.ask(jar, "session")
        assert witness.exists()


@pytest.mark.parametrize("pair", ["redis", "memcached"], indirect=True)
def test_a_made_up_id_reaches_the_store_of_flask_session_and_not_ours(pair):
    """Ids are 22 to 171 letters, digits, hyphens and underscores. Memcached's clients fail on others."""
    pair.entries.store(pair.entries.key("short"), msgspec.msgpack.encode({"user": "mallory"}))
    with browser("short") as jar:
        assert pair.cloakroom.session(jar) == {}
        assert pair.flask.session(jar) == {"user": "mallory"}
    with browser("x" * 300) as jar:
        assert pair.cloakroom.session(jar) == {}
        assert pair.flask.ask(jar, "session").status_code == (500 if pair.settings["store"] == "memcached" else 200)


def test_t21_the_deletion_of_a_cookie_has_its_attributes_here(site, tmp_path):
    with both(site, tmp_path, settings("redis", tmp_path, cookie_path="/do")) as pair:
        headers = []
        for server in (pair.flask, pair.cloakroom):
            with browser() as jar:
                server.do(jar, "login/alice")
                headers.append(expect(200, server.ask(jar, "logout")).headers["Set-Cookie"])
                assert cookie_of(jar) is None
    theirs, ours = ({part.strip() for part in header.split(";")} for header in headers)
    assert ours - theirs == {"HttpOnly"} and theirs <= ours


@pytest.mark.parametrize("time_zone, hours", [("Asia/Tokyo", -9), ("UTC", 0)])
def test_t23_flask_session_on_dynamodb_reckons_with_the_local_time_and_cloakroom_does_not(site, tmp_path, time_zone, hours):
    shared = settings("dynamodb", tmp_path)
    with flask_session(tmp_path, shared, time_zone) as flask, cloakroom(site, tmp_path, shared) as ours:
        left = []
        for server in (flask, ours):
            with browser() as jar:
                server.do(jar, "login/alice")
                left.append(entries(shared).seconds_left(cookie_of(jar)))
    assert abs(left[0] - LIFETIME - hours * 3600) <= 60
    assert abs(left[1] - LIFETIME) <= 60


@pytest.mark.parametrize("pair", ["dynamodb"], indirect=True)
def test_t23_what_has_expired_on_dynamodb_is_a_session_to_flask_session_and_none_here(pair, cookie):
    # DynamoDB removes what has expired up to two days late.
    value = msgspec.msgpack.encode({"user": "alice"})
    pair.entries.table.put_item(Item={"id": pair.entries.key(cookie), "val": value, "expiration": int(time.time()) - 60})
    with browser(cookie) as jar:
        assert pair.cloakroom.session(jar) == {}
        assert pair.flask.session(jar) == {"user": "alice"}


@pytest.mark.parametrize("ours_makes_it", [True, False])
def test_t23_removal_of_expired_items_is_switched_on_where_cloakroom_makes_the_table(site, tmp_path, ours_makes_it):
    with both(site, tmp_path, settings("dynamodb", tmp_path, make_table=ours_makes_it)) as pair:
        client = pair.entries.table.meta.client
        answer = client.describe_time_to_live(TableName=pair.settings["table"])["TimeToLiveDescription"]
    assert answer["TimeToLiveStatus"] == ("ENABLED" if ours_makes_it else "DISABLED")


def test_t26_a_lifetime_of_zero_is_refused_at_the_start(site, tmp_path):
    nothing = settings("redis", tmp_path, lifetime=0)
    done = subprocess.run([site], env={"SITE": json.dumps(nothing), "PORT": "0"}, capture_output=True, text=True, timeout=30)
    assert done.returncode == 1 and "PERMANENT_SESSION_LIFETIME" in done.stderr
    # Flask-Session starts, and Redis refuses each session.
    with flask_session(tmp_path, nothing) as flask, browser() as jar:
        assert flask.ask(jar, "login/alice").status_code == 500


def test_t30_a_key_can_be_rotated_under_signed_ids_here(site, tmp_path):
    before = settings("redis", tmp_path, secret_key=OLD_SECRET)
    after = {**before, "secret_key": SECRET, "fallback_keys": [OLD_SECRET]}
    with flask_session(tmp_path, before) as old, flask_session(tmp_path, after) as flask, cloakroom(site, tmp_path, after) as ours:
        with browser() as jar:
            old.do(jar, "login/alice")
            assert flask.session(jar) == {}
        with browser() as jar:
            old.do(jar, "login/alice")
            assert ours.session(jar) == {"user": "alice"}
            # The id was signed anew, with the new key.
            assert flask.session(jar) == {"user": "alice"}


@pytest.mark.parametrize("pair", ["redis"], indirect=True)
def test_a_session_of_another_format_is_rewritten_with_its_next_change(pair, cookie):
    pair.entries.store(pair.entries.key(cookie), msgspec.json.encode({"user": "alice"}))
    with browser(cookie) as jar:
        assert pair.cloakroom.do(jar, "count") == "1"
        assert pair.entries.bytes(cookie) == msgspec.msgpack.encode({"user": "alice", "visits": 1})
        assert pair.flask.session(jar) == {"user": "alice", "visits": 1}


@pytest.mark.parametrize("ours_makes_it", [True, False])
def test_a_session_over_64_kib_fits_the_mysql_table_that_cloakroom_makes(site, tmp_path, ours_makes_it):
    large = "".join(f"{zlib.crc32(str(n).encode()):08x}" for n in range(10_000))
    with both(site, tmp_path, settings("mysql", tmp_path, make_table=ours_makes_it)) as pair:
        for server in (pair.flask, pair.cloakroom):
            with browser() as jar:
                server.do(jar, "login/alice")
                answer = server.ask(jar, "set", json.dumps({"large": large}))
                assert (answer.status_code == 200) == ours_makes_it
                # Never a part of it.
                expected = {"user": "alice", "large": large} if ours_makes_it else {"user": "alice"}
                assert pair.cloakroom.session(jar) == pair.flask.session(jar) == expected


def test_a_store_that_is_down_is_an_error_of_flask_session_and_a_503_here(site, tmp_path):
    redis = ["sh", "-c", 'exec redis-server --port "$PORT" --bind 127.0.0.1 --save ""']
    with contextlib.ExitStack() as servers, browser() as jar:
        with running(redis, tmp_path / "redis.log") as place:
            changed = {"url": place.url.replace("http:", "redis:")}
            pair = servers.enter_context(both(site, tmp_path, settings("redis", tmp_path, **changed)))
            pair.flask.do(jar, "login/alice")
            cookie = cookie_of(jar)
        answer = pair.cloakroom.ask(jar, "session")
        assert answer.status_code == 503 and answer.headers["Retry-After"] == "2"
        assert pair.flask.ask(jar, "session").status_code == 500
        # Nobody is logged out by it.
        assert cookie_of(jar) == cookie
