"""Sessions of real Flask-Session change to a native layout, in the same store, while their visitors click at servers of
both kinds: nobody is logged out, no click is lost, and in the end nothing in the store logs anybody in.
"""

import contextlib
import json
import os
import random
import subprocess
from concurrent.futures import ThreadPoolExecutor

import pytest
from stores import browser, cloakroom as ours, cookie_of, entries, flask_session, settings

VISITORS = 24
CLICKS = 12
SECRET = "the-secret-that-all-servers-share"
WAYS = {
    "redis, native": ("redis", "native", {}),
    "redis, sealed, signed": ("redis", "sealed", {"secret_key": SECRET}),
    "postgres, native, permanent": ("postgres", "native", {"permanent": True}),
    "sqlite, sealed": ("sqlite", "sealed", {}),
}


def convert(command, store, to, *options):
    """What `cloakroom sessions convert` says."""
    url = store["url"]
    if store["store"] != "redis":
        url += ("&" if "?" in url else "?") + f"table={store['table']}"
    options = ["--yes", "--prefix", store["key_prefix"], "--to", to, *options]
    done = subprocess.run(
        [command, "--json", "sessions", "convert", *options],
        env={**os.environ, "SESSION_STORE": url},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr + done.stdout
    return json.loads(done.stdout)


@pytest.mark.parametrize("way", WAYS)
def test_flasks_sessions_change_their_layout_while_visitors_click(way, site, request, tmp_path):
    command = request.getfixturevalue("cloakroom")
    kind, layout, changed = WAYS[way]
    store = settings(kind, tmp_path, profile="default", refresh_each_request=False, **changed)
    with contextlib.ExitStack() as closing:
        jars = [closing.enter_context(browser()) for _ in range(VISITORS)]
        away = closing.enter_context(browser())
        with flask_session(tmp_path, store) as flask:
            for number, jar in enumerate([*jars, away]):
                flask.do(jar, f"login/visitor{number}")
                assert flask.do(jar, "count") == "1"
        ids = [cookie_of(jar) for jar in [*jars, away]]
        assert len(set(ids)) == VISITORS + 1

        prepared = closing.enter_context(ours(site, tmp_path, {**store, "layouts": ["flask", layout]}))
        changing = closing.enter_context(ours(site, tmp_path, {**store, "layouts": [layout, "flask"]}))

        def visit(number):
            choice = random.Random(number)
            for click in range(2, CLICKS + 2):
                server = choice.choice([prepared, changing])
                assert server.do(jars[number], "count") == str(click), f"visitor {number} on {server.url}"
                assert changing.session(jars[number])["user"] == f"visitor{number}"

        with ThreadPoolExecutor(8) as pool:
            visits = [pool.submit(visit, number) for number in range(VISITORS)]
            moved = convert(command, store, layout)["moved"]
            for done in visits:
                done.result()
        assert moved >= 1, "the one who is away"
        assert convert(command, store, layout, "--dry-run")["would_move"] == 0

        # Who was away comes back with Flask's cookie and gets one of the new kind, as everybody has by now.
        assert changing.do(away, "count") == "2"
        tickets = [cookie_of(jar) for jar in [*jars, away]]
        assert all(len(ticket) == 66 for ticket in tickets) and not set(tickets) & set(ids)
        # The store has none of the ids: each opens something only through a one-way function.
        look = entries(store)
        assert all(look.bytes(old) is None for old in ids)

        # In the end only the new kind is known.
        after = closing.enter_context(ours(site, tmp_path, {**store, "secret_key": None, "layouts": [layout]}))
        for number, jar in enumerate(jars):
            assert after.do(jar, "count") == str(CLICKS + 2)
            assert after.session(jar)["user"] == f"visitor{number}"
        with browser(ids[0]) as thief:
            assert "user" not in after.session(thief)
        after.do(jars[0], "logout")
        for server in (prepared, changing, after):
            for cookie in (ids[0], tickets[0]):
                with browser(cookie) as thief:
                    assert "user" not in server.session(thief)
