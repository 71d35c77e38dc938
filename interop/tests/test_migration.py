"""100,000 sessions of real Flask-Session move to another store while visitors click at Flask and at the tour all the
time: nobody is logged out, no click is lost, the counts are equal.

A load balancer's part is played by `Crossing`: it holds requests back for the moment in which both apps start again.
"""

import contextlib
import json
import os
import random
import re
import signal
import subprocess
import threading
import time
import uuid
import warnings
from concurrent.futures import ProcessPoolExecutor
from datetime import timedelta

import pytest
import stores
from conftest import Site, expect, running
from redis import Redis
from stores import browser, cookie_of

COUNT = 100_000
SEEDERS = 2
VISITORS = 4
# Between two clicks of a visitor, so that the apps do not take all of a small machine.
MOMENT = 0.03
SECRET = "the secret of the tour, for its forms"
LIFETIME = 31 * 24 * 60 * 60


def interface(kind, url):
    """Flask-Session itself, as an app gets it."""
    from cachelib.file import FileSystemCache
    from flask import Flask
    from flask_session import Session

    warnings.simplefilter("ignore", DeprecationWarning)
    app = Flask(__name__)
    if kind == "redis":
        app.config.update(SESSION_TYPE="redis", SESSION_REDIS=Redis.from_url(url))
    else:
        app.config.update(SESSION_TYPE="cachelib", SESSION_CACHELIB=FileSystemCache(url, threshold=0))
    Session(app)
    return app.session_interface


def fill(kind, url, first, last):
    """Saves so many sessions; the id of the last one is the answer."""
    saving = interface(kind, url)
    for number in range(first, last):
        sid = saving._generate_sid(32)
        content = {"username": f"user {number}", "visits": number, "cart": [number, "book"]}
        session = saving.session_class(content, sid=sid, permanent=True)
        saving._upsert_session(timedelta(seconds=LIFETIME), session, saving.key_prefix + sid)
    return sid


def seed(kind, url):
    began = time.monotonic()
    part = COUNT // SEEDERS
    with ProcessPoolExecutor(SEEDERS) as pool:
        parts = [pool.submit(fill, kind, url, part * number, part * (number + 1)) for number in range(SEEDERS)]
        ids = [part.result() for part in parts]
    return ids, time.monotonic() - began


class Crossing:
    """Lets requests through, or holds them back until the apps are there again."""

    def __init__(self):
        self.apps = []
        self.inside = 0
        self.changed = threading.Condition()

    @contextlib.contextmanager
    def request(self):
        with self.changed:
            self.changed.wait_for(lambda: self.apps)
            self.inside += 1
            apps = list(self.apps)
        try:
            yield apps
        finally:
            with self.changed:
                self.inside -= 1
                self.changed.notify_all()

    def open(self, *apps):
        with self.changed:
            self.apps = list(apps)
            self.changed.notify_all()

    def close(self):
        """Returns when the last request is answered."""
        with self.changed:
            self.apps = []
            self.changed.wait_for(lambda: self.inside == 0)


class Flask(stores.Server):
    def count(self, jar):
        return int(self.do(jar, "count"))

    def username(self, jar):
        return self.session(jar).get("username")

    def logout(self, jar):
        self.do(jar, "logout")


class Tour(Site):
    def count(self, jar):
        return int(re.search(r"Number of visits: (\d+)", re.sub(r"<[^>]+>", "", self.get(jar, "/counter").text))[1])

    def username(self, jar):
        content = json.loads(self.get(jar, "/session.json").json()["session"])
        return content.get("username")

    def login(self, jar, name):
        self.send(jar, "/login", {"username": name})

    def logout(self, jar):
        self.send(jar, "/logout")


class Visitor(threading.Thread):
    """Logs in at the tour and clicks at both until the end of the day."""

    def __init__(self, name, crossing):
        super().__init__(name=name, daemon=True)
        self.crossing = crossing
        self.clicks = 0
        self.leaves = threading.Event()
        self.trouble = None

    def run(self):
        try:
            with browser() as jar:
                with self.crossing.request() as (_, tour):
                    tour.login(jar, self.name)
                while not self.leaves.wait(MOMENT):
                    self.click(jar)
        except BaseException as error:
            self.trouble = error

    def click(self, jar):
        with self.crossing.request() as apps:
            app = random.choice(apps)
            visits = app.count(jar)
            assert visits == self.clicks + 1, f"{self.name} had clicked {self.clicks} times, {app.url} says {visits}"
            self.clicks = visits
            assert app.username(jar) == self.name, f"{self.name} was logged out"

    def has_clicked(self, more):
        goal = self.clicks + more
        while self.clicks < goal and self.trouble is None:
            time.sleep(0.005)
        if self.trouble is not None:
            raise self.trouble

    def goes(self):
        self.leaves.set()
        self.join(30)
        if self.trouble is not None:
            raise self.trouble


@contextlib.contextmanager
def both(tour, folder, kind, url, settings, moving_from=None):
    """Flask and the tour on one store."""
    name = uuid.uuid4().hex
    flask = stores.flask_session(folder, {**settings, "store": kind, "url": url.removeprefix("cachelib:")})
    ours = running(
        [tour],
        folder / f"{name}.log",
        SECRET_KEY=SECRET,
        DATA_DIR=str(folder / "tour-data"),
        SESSION_STORE=url,
        SESSION_STORE_FROM=moving_from,
    )
    with flask as flask, ours as ours:
        yield Flask(flask.url), Tour(ours.url)


class Migration:
    """The command, following until it is told to stop."""

    def __init__(self, cloakroom, folder, old, new):
        self.command = [cloakroom, "--json", "sessions", "migrate", "--state", str(folder / f"{uuid.uuid4().hex}.state")]
        self.environment = {**os.environ, "SESSION_STORE_FROM": old, "SESSION_STORE_TO": new}

    def run(self, *options):
        done = subprocess.run([*self.command, *options], env=self.environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr + done.stdout
        return json.loads(done.stdout)

    def follow(self):
        piped = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        self.process = subprocess.Popen([*self.command, "--follow"], env=self.environment, **piped)

    def line(self, beginning):
        """What the command says of a pass."""
        for line in self.process.stderr:
            if line.startswith(beginning):
                return line.strip()
        pytest.fail(f"the command ended without a line that begins with {beginning}")

    def stop(self):
        self.process.send_signal(signal.SIGINT)

    def result(self):
        out, errors = self.process.communicate()
        assert self.process.returncode == 0, errors + out
        return json.loads(out)


@pytest.fixture(params=["redis to redis", "files to redis"])
def way(request, tmp_path):
    """(kind, old store, new store, what the tour has as the old one afterwards, what Flask has as the new one)"""
    redis = os.environ["CLOAKROOM_TEST_REDIS_URL"]
    databases = {"redis to redis": (11, 12), "files to redis": (13, 14)}[request.param]
    old, new = (f"{redis}/{number}" for number in databases)
    for url in (old, new):
        Redis.from_url(url).flushdb()
    if request.param == "redis to redis":
        yield "redis", old, new, old, "redis"
    else:
        yield "cachelib", f"cachelib:{tmp_path}/flask_session", new, "hashed", "hashed redis"
    for url in (old, new):
        Redis.from_url(url).flushdb()


def test_100000_sessions_move_while_their_visitors_click_and_nobody_is_logged_out(way, tour, cloakroom, tmp_path, capsys):
    kind, old, new, moving_from, new_kind = way
    place = old.removeprefix("cachelib:")
    settings = stores.settings("redis", tmp_path, key_prefix="session:", permanent=True)
    ids, seeding = seed(kind, place)

    crossing = Crossing()
    visitors = [Visitor(f"visitor {number}", crossing) for number in range(VISITORS)]
    migration = Migration(cloakroom, tmp_path, old, new)
    with both(tour, tmp_path, kind, old, settings) as (flask, ours):
        crossing.open(flask, ours)
        for visitor in visitors:
            visitor.start()
            visitor.has_clicked(2)
        migration.follow()
        first_pass = migration.line("pass 1: ")
        for visitor in visitors:
            visitor.has_clicked(2)
        # One logs out while the copies are there already, in stock Flask-Session.
        visitors.pop().goes()
        with browser(ids[0]) as jar:
            assert flask.username(jar)
            flask.logout(jar)
        crossing.close()

    asked = time.monotonic()
    migration.stop()
    last_pass = migration.line("last pass: ")
    passed = time.monotonic()
    # The apps might start now. They wait until both stores are counted and compared, because nothing moves then.
    done = migration.result()
    started = time.monotonic()
    with both(tour, tmp_path, new_kind, new, settings, moving_from=old) as (flask, ours):
        crossing.open(flask, ours)
        pause = (passed - asked) + (time.monotonic() - started)
        # Somebody logged in at the last moment, and only the old store knows.
        late = fill(kind, place, COUNT, COUNT + 1)
        for visitor in visitors:
            visitor.has_clicked(5)
        with browser(late) as jar:
            assert ours.username(jar) == f"user {COUNT}"
            assert flask.username(jar) == f"user {COUNT}"
        with browser(ids[0]) as jar:
            assert ours.username(jar) is None
            assert flask.username(jar) is None
        # A last run for what still came into the old store; nothing is overwritten in the new one.
        caught_up = migration.run()
        for visitor in visitors:
            visitor.has_clicked(2)
        crossing.close()

    # The old store is not asked any more; what came out of files waits under hashes.
    stays = moving_from if moving_from == "hashed" else None
    with both(tour, tmp_path, new_kind, new, settings, moving_from=stays) as (flask, ours):
        crossing.open(flask, ours)
        for visitor in visitors:
            visitor.has_clicked(3)
            visitor.goes()
        with browser(ids[1]) as jar:
            assert flask.username(jar) == ours.username(jar) == f"user {COUNT - 1}"

    with capsys.disabled():
        print(f"\n\n  {COUNT:,} sessions of Flask-Session in {kind}, saved in {seeding:.1f} s; {old.split(':')[0]} to {new.split(':')[0]}")
        print(f"  {first_pass}; {done['entries_per_second']:,} entries per second")
        print(f"  {last_pass}; both apps away for {pause:.1f} s; {done['passes']} passes, {done['updated']} updates")
        print(f"  counts {done['counts']}; catching up: {caught_up['copied']} copied, {caught_up['updated']} updated")
        print(f"  {sum(visitor.clicks for visitor in visitors)} clicks of {VISITORS} visitors, nobody was logged out")
    assert done["counts"]["equal"] and done["counts"]["from"] >= COUNT
    assert done["copied"] >= COUNT + VISITORS
    assert done["removed"] >= 1 and not done["refused"]
    assert done["sample"]["same"] > 50 and not done["sample"]["missing"]
    assert caught_up["updated"] == caught_up["removed"] == 0
