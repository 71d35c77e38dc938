"""What the interop tests stand on: the two apps, the peer, and where to find them.

Each of the Rust programs and of the browser's is named by an option or an environment variable, and looked for where
`cargo build` and Debian put it. What is missing ends the run with one line; nothing is skipped.
"""

import contextlib
import json
import os
import shutil
import socket
import string
import subprocess
import sys
import time
from pathlib import Path

import pytest
import requests

INTEROP = Path(__file__).resolve().parent.parent
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", INTEROP.parent / "target"))
sys.path.insert(0, str(INTEROP))

# option -> where to look when it is not given, and what to do when nothing is there
PROGRAMS = {
    "tour": ([TARGET / "release/tour", TARGET / "debug/tour"], "build it with `cargo build -p tour`"),
    "peer": ([TARGET / "release/peer", TARGET / "debug/peer"], "build it with `cargo build -p cloakroom-interop`"),
    "site": ([TARGET / "release/site", TARGET / "debug/site"], "build it with `cargo build -p cloakroom-interop`"),
    "neighbour": (
        [TARGET / "release/neighbour", TARGET / "debug/neighbour"],
        "build it with `cargo build -p cloakroom-interop`",
    ),
    "cloakroom": (
        [TARGET / "release/cloakroom", TARGET / "debug/cloakroom"],
        "build it with `cargo build -p cloakroom-cli`",
    ),
    "chromium": (["chromium", "google-chrome"], "install Debian's package chromium"),
    "chromedriver": (["chromedriver"], "install Debian's package chromium-driver"),
}


def pytest_addoption(parser):
    group = parser.getgroup("interop")
    for name in PROGRAMS:
        group.addoption(f"--{name}", default=os.environ.get(f"INTEROP_{name.upper()}"), help=f"path of {name}")
    group.addoption("--screenshots", metavar="FOLDER", help="folder for pictures of each page of the tour")
    group.addoption("--seed", type=int, default=20260101, help="seed of the random sessions")
    group.addoption("--sessions", type=int, default=20_000, help="number of random sessions")


def find(config, name):
    """The path of a program, or None."""
    given = config.getoption(name)
    for place in [given] if given else PROGRAMS[name][0]:
        if path := shutil.which(place):
            return path
    return None


def pytest_collection_finish(session):
    """Before any test runs: is everything there that the chosen tests need?"""
    for name, (_, advice) in PROGRAMS.items():
        if any(name in item.fixturenames for item in session.items) and find(session.config, name) is None:
            pytest.exit(f"the interop tests need {name}: {advice}, or name it with --{name}=PATH", returncode=1)


@pytest.fixture(scope="session")
def tour(pytestconfig):
    return find(pytestconfig, "tour")


@pytest.fixture(scope="session")
def site(pytestconfig):
    return find(pytestconfig, "site")


@pytest.fixture(scope="session")
def neighbour(pytestconfig):
    return find(pytestconfig, "neighbour")


@pytest.fixture(scope="session")
def cloakroom(pytestconfig):
    return find(pytestconfig, "cloakroom")


@pytest.fixture(scope="session")
def chromium(pytestconfig):
    return find(pytestconfig, "chromium")


@pytest.fixture(scope="session")
def chromedriver(pytestconfig):
    return find(pytestconfig, "chromedriver")


class Peer:
    """A program that speaks the line protocol of oracle.py."""

    def __init__(self, *command):
        self.command = command

    def ask(self, questions):
        """All answers, in the order of the questions."""
        lines = "".join(json.dumps(question) + "\n" for question in questions)
        done = subprocess.run(self.command, input=lines, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, f"{self.command} ended with {done.returncode}: {done.stderr[-2000:]}"
        answers = [json.loads(line) for line in done.stdout.splitlines()]
        assert len(answers) == len(questions)
        return answers


@pytest.fixture(scope="session")
def peer(pytestconfig):
    return Peer(find(pytestconfig, "peer"))


@pytest.fixture(scope="session")
def oracle_process():
    return Peer(sys.executable, str(INTEROP / "oracle.py"))


class Site:
    """One running app, seen through a cookie jar that it shares with others: cookies do not know ports."""

    def __init__(self, url):
        self.url = url

    def get(self, jar, path):
        return expect(200, jar.get(self.url + path))

    def post(self, jar, path, data=None):
        """Sends a form and follows to the page it leads to."""
        return expect(200, jar.post(self.url + path, data, headers=self.form_headers()))

    def send(self, jar, path, data=None):
        """Sends a form and stays there: the page it leads to is not asked for."""
        return expect((302, 303), jar.post(self.url + path, data, headers=self.form_headers(), allow_redirects=False))

    def form_headers(self):
        """What a browser says of a form of this site, also of one without fields."""
        return {"Origin": self.url, "Content-Type": "application/x-www-form-urlencoded"}

    def session(self, jar):
        """The session as this app reads it: the text of its tagged JSON, and whether it is permanent."""
        shown = self.get(jar, "/session.json").json()
        return shown["session"], shown["permanent"]

    def flashes(self, jar):
        """The waiting flash messages as [category, message]; reading consumes them."""
        return self.get(jar, "/flash/messages").json()


def changed_at(token, at):
    """A token with another character at a place: one whose first bit differs, as the last bits may mean nothing."""
    alphabet = string.ascii_uppercase + string.ascii_lowercase + string.digits + "-_"
    characters = list(token)
    characters[at] = alphabet[alphabet.find(characters[at]) ^ 32]
    return "".join(characters)


def expect(status, response):
    wanted = status if isinstance(status, tuple) else (status,)
    request = response.request
    assert response.status_code in wanted, f"{request.method} {request.url}: {response.status_code} {response.text[:300]}"
    return response


@contextlib.contextmanager
def running(command, log, **environment):
    """Runs an app on a free port of this machine until the block ends."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {key: value for key, value in environment.items() if value is not None}
    with open(log, "wb") as out:
        process = subprocess.Popen(
            command, env={**os.environ, **environment, "PORT": str(port)}, stdout=out, stderr=out, cwd=log.parent
        )
    try:
        wait_for_port(process, port, log)
        yield Site(f"http://127.0.0.1:{port}")
    finally:
        process.terminate()
        process.wait(timeout=10)


def wait_for_port(process, port, log, seconds=30):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.02)
    pytest.fail(f"{process.args[0]} did not open port {port}: {log.read_text()[-2000:]}", pytrace=False)


@pytest.fixture
def start_flask(tmp_path):
    """Starts the Flask app: `with start_flask(secret_key=…, fallbacks=…) as site`."""

    def start(secret_key, fallbacks=""):
        return running(
            [sys.executable, str(INTEROP / "flask_app/app.py")],
            tmp_path / "flask.log",
            SECRET_KEY=secret_key,
            SECRET_KEY_FALLBACKS=fallbacks,
            DATABASE=str(tmp_path / "flask.sqlite"),
        )

    return start


@pytest.fixture
def start_tour(tour, tmp_path):
    """Starts the tour: `with start_tour(secret_key=…, fallbacks=…) as site`."""

    def start(secret_key, fallbacks=""):
        return running(
            [tour],
            tmp_path / "tour.log",
            SECRET_KEY=secret_key,
            SECRET_KEY_FALLBACKS=fallbacks,
            DATA_DIR=str(tmp_path / "tour-data"),
        )

    return start


@pytest.fixture
def jar():
    """A browser's cookie jar."""
    with requests.Session() as session:
        session.trust_env = False
        yield session
