"""Serves one of the Flask applications that are measured, as `subjects` serves those in Rust:

    serve.py NAME [--store WHERE] [--port N]

listens on 127.0.0.1, on a free port unless told which, prints `listening on 127.0.0.1:PORT`, and ends when standard input closes.
`serve.py --list` prints which there are, as JSON. Waitress with its defaults serves them, because it is the fastest of the servers that
Flask's documentation names (gunicorn's workers take about a quarter more of the processor).
"""

import argparse
import json
import logging
import os
import sys
import tempfile
import threading
from datetime import timedelta
from importlib.metadata import version

import waitress
from flask import Flask, session

from content import MIDDLE, large, twenty

LIFETIME = timedelta(hours=1)
SECRET = "a secret for benchmarks and for nothing else"


def bare(_):
    """Flask without sessions: what the others cost more than is their price."""
    app = Flask(__name__)

    @app.get("/plain")
    @app.get("/login")
    @app.get("/fill/twenty")
    @app.get("/fill/large")
    def plain():
        return "ok"

    @app.get("/read")
    def read():
        return str(0)

    @app.get("/write")
    def write():
        return str(1)

    @app.get("/read_many")
    def read_many():
        return str(7)

    return app


def in_cookie(_):
    """Flask's own sessions: signed, in the cookie. There is no id that a login could change."""
    app = Flask(__name__)
    app.config.update(SECRET_KEY=SECRET, PERMANENT_SESSION_LIFETIME=LIFETIME)
    return with_sessions(app, renew=lambda: None)


def in_redis(where):
    """Flask-Session, as its documentation sets it up."""
    from redis import Redis

    return in_store(SESSION_TYPE="redis", SESSION_REDIS=Redis.from_url(where))


def in_files(where):
    """Flask-Session on cachelib's files. Without a threshold: with the 500 of its documentation, each new visitor has the whole folder
    read, and takes a hundred times as long."""
    from cachelib.file import FileSystemCache

    folder = where or tempfile.mkdtemp(prefix="flask-session-")
    return in_store(SESSION_TYPE="cachelib", SESSION_CACHELIB=FileSystemCache(folder, threshold=0))


def in_store(**settings):
    from flask_session import Session

    app = Flask(__name__)
    app.config.update(SECRET_KEY=SECRET, PERMANENT_SESSION_LIFETIME=LIFETIME, **settings)
    Session(app)
    return with_sessions(app, renew=lambda: app.session_interface.regenerate(session))


def with_sessions(app, renew):
    @app.get("/plain")
    def plain():
        return "ok"

    @app.get("/read")
    def read():
        return str(session.get("visits", 0))

    @app.get("/write")
    def write():
        session["visits"] = session.get("visits", 0) + 1
        return str(session["visits"])

    @app.get("/login")
    def login():
        renew()
        session["user"] = "alice"
        return "ok"

    @app.get("/fill/twenty")
    def fill_twenty():
        session.update(visits=1, **twenty())
        return "ok"

    @app.get("/fill/large")
    def fill_large():
        session.update(visits=1, **large())
        return "ok"

    @app.get("/read_many")
    def read_many():
        return str(len(session[MIDDLE]))

    return app


def subject(name, application, kind, store, family, package):
    described = {
        "name": name,
        "reference": "flask",
        "kind": kind,
        "store": store,
        "family": family,
        "version": version(package),
    }
    return application, described


SUBJECTS = [
    subject("flask", bare, "none", None, "bare", "flask"),
    subject("flask cookie", in_cookie, "cookie", None, "peer", "flask"),
    subject("flask-session redis", in_redis, "store", "redis", "peer", "flask-session"),
    subject("flask-session filesystem", in_files, "store", "filesystem", "peer", "flask-session"),
]


def main():
    parser = argparse.ArgumentParser(description="Serves one of the Flask applications that are measured")
    parser.add_argument("name", nargs="?", help='such as "flask cookie"')
    parser.add_argument("--store", default="", help="where its sessions live: a URL of Redis, or a folder")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--list", action="store_true", help="prints all subjects, as JSON")
    arguments = parser.parse_args()

    if arguments.list:
        print(json.dumps([described for _, described in SUBJECTS], indent=2))
        return
    applications = {described["name"]: application for application, described in SUBJECTS}
    if arguments.name not in applications:
        parser.error(f"there is no subject {arguments.name!r}, only {', '.join(applications)}")
    app = applications[arguments.name](arguments.store)
    # It warns of every request that waits for a thread, which under full load are most.
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)
    server = waitress.create_server(app, host="127.0.0.1", port=arguments.port)
    print(f"listening on 127.0.0.1:{server.effective_port}", flush=True)
    threading.Thread(target=end_with_input, daemon=True).start()
    server.run()


def end_with_input():
    """So that no server outlives its runner, however that ends."""
    while sys.stdin.read(64):
        pass
    os._exit(0)


if __name__ == "__main__":
    main()
