"""Stock Flask-Session behind the same requests as `src/bin/site.rs`, which says what they are.

`SITE` holds the settings as JSON, the same that the other server gets, and `PORT` says where to listen.
"""

import json
import os
import threading
import warnings

from flask import Flask, flash, get_flashed_messages, request, session
from flask.json.tag import TaggedJSONSerializer
from flask_session import Session

tagged = TaggedJSONSerializer()


def database(app, settings):
    """Flask-SQLAlchemy on the database of the settings."""
    from flask_sqlalchemy import SQLAlchemy

    url = settings["url"].partition("?")[0]
    for ours, theirs in [("postgres:", "postgresql+psycopg:"), ("mysql:", "mysql+pymysql:"), ("sqlite:", "sqlite:///")]:
        url = url.replace(ours, theirs) if url.startswith(ours) else url
    app.config["SQLALCHEMY_DATABASE_URI"] = url
    return SQLAlchemy(app)


def store(app, settings):
    """Flask-Session's settings for the kind of store."""
    url, table = settings["url"], settings["table"]
    match settings["store"]:
        case "redis":
            from redis import Redis

            return {"SESSION_TYPE": "redis", "SESSION_REDIS": Redis.from_url(url)}
        case "hashed redis":
            from hashed_redis import HashedRedis

            return {"SESSION_TYPE": "redis", "SESSION_REDIS": HashedRedis.from_url(url)}
        case "memcached":
            from pymemcache import PooledClient

            # By default it does not wait until a write has arrived, and the next request may overtake it.
            client = PooledClient(url.removeprefix("memcached://"), default_noreply=False)
            return {"SESSION_TYPE": "memcached", "SESSION_MEMCACHED": client}
        case "filesystem":
            return {"SESSION_TYPE": "filesystem", "SESSION_FILE_DIR": url, "SESSION_FILE_THRESHOLD": 10_000}
        case "cachelib":
            from cachelib.file import FileSystemCache

            return {"SESSION_TYPE": "cachelib", "SESSION_CACHELIB": FileSystemCache(url, threshold=0)}
        case "sqlite" | "postgres" | "mysql":
            return {"SESSION_TYPE": "sqlalchemy", "SESSION_SQLALCHEMY": database(app, settings), "SESSION_SQLALCHEMY_TABLE": table}
        case "dynamodb":
            import boto3

            credentials = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
            resource = boto3.resource("dynamodb", endpoint_url=url, region_name="us-west-2", **credentials)
            return {"SESSION_TYPE": "dynamodb", "SESSION_DYNAMODB": resource, "SESSION_DYNAMODB_TABLE": table}


def make_app(settings):
    app = Flask(__name__)
    app.config.update(
        SECRET_KEY=settings["secret_key"] or "for flash alone",
        SECRET_KEY_FALLBACKS=settings["fallback_keys"],
        SESSION_USE_SIGNER=settings["secret_key"] is not None,
        SESSION_SERIALIZATION_FORMAT=settings["serialization"],
        SESSION_KEY_PREFIX=settings["key_prefix"],
        SESSION_PERMANENT=settings["permanent"],
        SESSION_REFRESH_EACH_REQUEST=settings["refresh_each_request"],
        PERMANENT_SESSION_LIFETIME=settings["lifetime"],
        SESSION_COOKIE_PATH=settings["cookie_path"],
    )
    app.config.update(store(app, settings))
    Session(app)
    gates = {}

    def named(gate):
        """The permits for having come to the gate, and for going on."""
        return gates.setdefault(gate, (threading.Semaphore(0), threading.Semaphore(0)))

    @app.route("/do/<path:operation>", methods=["GET", "POST"])
    def act(operation):
        return perform(app, operation)

    @app.route("/slow/<gate>/<path:operation>", methods=["GET", "POST"])
    def act_slowly(gate, operation):
        reached, opened = named(gate)
        reached.release()
        opened.acquire()
        return perform(app, operation)

    @app.post("/gate/<gate>/<action>")
    def pass_gate(gate, action):
        reached, opened = named(gate)
        {"reached": reached.acquire, "open": opened.release}[action]()
        return ""

    return app


def perform(app, operation):
    match operation.split("/"):
        case ["nothing"]:
            pass
        case ["session"]:
            return tagged.dumps(dict(session))
        case ["permanent"]:
            return str(session.permanent).lower()
        case ["permanent", switch]:
            session.permanent = switch == "on"
        case ["set"]:
            session.update(tagged.loads(request.get_data(as_text=True)))
        case ["copy"]:
            session.update({f"{key} copied": session[key] for key in sorted(session)})
        case ["delete", key]:
            session.pop(key, None)
        case ["count"]:
            session["visits"] = session.get("visits", 0) + 1
            return str(session["visits"])
        case ["flash", category]:
            flash(request.get_data(as_text=True), category)
        case ["flashes"]:
            return json.dumps(get_flashed_messages(with_categories=True))
        case ["login", user]:
            app.session_interface.regenerate(session)
            session["user"] = user
        case ["regenerate"]:
            app.session_interface.regenerate(session)
        case ["logout"]:
            session.clear()
        case _:
            return f"{operation} is unknown", 404
    return ""


if __name__ == "__main__":
    warnings.simplefilter("ignore", DeprecationWarning)  # what Flask-Session announces for its 1.0
    make_app(json.loads(os.environ["SITE"])).run(port=int(os.environ["PORT"]), threaded=True)
