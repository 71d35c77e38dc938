"""Stock Flask-Session and Cloakroom on the same entries, and a look at the entries past both."""

import contextlib
import hashlib
import json
import os
import pickle
import sqlite3
import struct
import sys
import time
import uuid
from datetime import datetime, timezone
from typing import NamedTuple

import boto3
import msgspec
import psycopg
import pymysql
import requests
from conftest import INTEROP, Site, expect, running
from pymemcache import Client
from redis import Redis

KINDS = ["redis", "memcached", "filesystem", "cachelib", "sqlite", "postgres", "mysql", "dynamodb"]
DATABASES = ["sqlite", "postgres", "mysql"]
# Long enough that memcached takes it for a date if it is not told otherwise.
LIFETIME = 31 * 24 * 60 * 60
SERVERS = {"redis": "REDIS", "memcached": "MEMCACHED", "postgres": "POSTGRES", "mysql": "MARIADB", "dynamodb": "DYNAMODB"}


def settings(kind, folder, **changed):
    """The settings that both servers get: a store of that kind that nobody else uses."""
    unique = uuid.uuid4().hex
    match kind:
        case "filesystem" | "cachelib":
            url = str(folder / f"sessions-{unique}")
        case "sqlite":
            url = f"sqlite:{folder}/sessions-{unique}.sqlite?mode=rwc"
        case _:
            url = os.environ[f"CLOAKROOM_TEST_{SERVERS[kind]}_URL"]
    return {
        "store": kind,
        "url": url,
        "table": f"sessions_{unique}",
        "make_table": False,
        # Flask-Session pickles what it keeps in files, whatever is configured.
        "serialization": "pickle" if kind in ("filesystem", "cachelib") else "msgpack",
        "key_prefix": f"{unique}:",
        "secret_key": None,
        "fallback_keys": [],
        "lifetime": LIFETIME,
        "permanent": False,
        "profile": "flask",
        "refresh_each_request": True,
        "cookie_path": "/",
        **changed,
    }


class Server(Site):
    """A server whose requests say what to do to the session."""

    def do(self, jar, operation, body=None):
        """What the server says when it has done the operation."""
        return expect(200, self.ask(jar, operation, body)).text

    def ask(self, jar, operation, body=None):
        return jar.post(f"{self.url}/do/{operation}", None if body is None else body.encode(), timeout=30)

    def session(self, jar):
        """The session as this server reads it, as plain JSON or the tags of Flask's."""
        return json.loads(self.do(jar, "session"))

    def slow(self, jar, gate, operation, body=None):
        return jar.post(f"{self.url}/slow/{gate}/{operation}", None if body is None else body.encode(), timeout=30)

    def gate(self, name, action):
        expect(200, requests.post(f"{self.url}/gate/{name}/{action}", timeout=30))


@contextlib.contextmanager
def serving(command, folder, settings, **environment):
    log = folder / f"{uuid.uuid4().hex}.log"
    with running(command, log, SITE=json.dumps(settings), **environment) as site:
        yield Server(site.url)


def flask_session(folder, settings, time_zone="UTC"):
    # Flask-Session reckons DynamoDB's expiry from the local time.
    serialization = settings["serialization"].replace("pickle", "msgpack")
    command = [sys.executable, str(INTEROP / "flask_session_app.py")]
    return serving(command, folder, {**settings, "serialization": serialization}, TZ=time_zone)


def cloakroom(program, folder, settings):
    return serving([program], folder, settings)


class Pair(NamedTuple):
    """Both servers on one store, and the way past them."""

    flask: Server
    cloakroom: Server
    entries: "Entries"
    settings: dict


@contextlib.contextmanager
def both(program, folder, settings):
    """Both servers; the first makes the table, if the settings don't say otherwise."""
    with contextlib.ExitStack() as running:
        if settings["make_table"]:
            ours = running.enter_context(cloakroom(program, folder, settings))
            theirs = running.enter_context(flask_session(folder, settings))
        else:
            theirs = running.enter_context(flask_session(folder, settings))
            ours = running.enter_context(cloakroom(program, folder, settings))
        yield Pair(theirs, ours, entries(settings), settings)


class Entries:
    """What is in the store, by the cookie that names it."""

    def __init__(self, settings):
        self.settings = settings

    def key(self, cookie):
        return self.settings["key_prefix"] + cookie.partition(".")[0]

    def bytes(self, cookie):
        """The entry's bytes, without what the store itself adds; None if there is none."""
        return self.load(self.key(cookie))

    def content(self, cookie):
        """The entry as Python reads it."""
        return self.decode(self.bytes(cookie))

    def decode(self, value):
        return {"msgpack": msgspec.msgpack.decode, "json": msgspec.json.decode, "pickle": pickle.loads}[self.settings["serialization"]](value)

    def encode(self, content):
        """The bytes that Flask-Session would write."""
        return {"msgpack": msgspec.msgpack.encode, "json": msgspec.json.encode}[self.settings["serialization"]](content)

    def seconds_left(self, cookie):
        """How long the entry still lives."""
        return self.left(self.key(cookie))


class InRedis(Entries):
    def __init__(self, settings):
        super().__init__(settings)
        self.client = Redis.from_url(settings["url"])

    def load(self, key):
        return self.client.get(key)

    def store(self, key, value):
        self.client.set(key, value, ex=LIFETIME)

    def left(self, key):
        return self.client.ttl(key)


class InMemcached(Entries):
    def __init__(self, settings):
        super().__init__(settings)
        self.client = Client(settings["url"].removeprefix("memcached://"), default_noreply=False)

    def load(self, key):
        return self.client.get(key)

    def store(self, key, value):
        self.client.set(key, value, expire=int(time.time()) + LIFETIME)

    def left(self, key):
        return int(self.client.raw_command(f"mg {key} t").removeprefix(b"HD t"))


class InFiles(Entries):
    def file(self, key):
        return os.path.join(self.settings["url"], hashlib.sha256(key.encode()).hexdigest())

    def load(self, key):
        with contextlib.suppress(FileNotFoundError), open(self.file(key), "rb") as file:
            return file.read()[4:]

    def store(self, key, value):
        with open(self.file(key), "wb") as file:
            file.write(struct.pack("<I", int(time.time()) + LIFETIME) + value)

    def left(self, key):
        with open(self.file(key), "rb") as file:
            return struct.unpack("<I", file.read(4))[0] - time.time()


class InDatabase(Entries):
    """One connection for each look, so that none sees an old state of the table."""

    def rows(self, statement, *values):
        url, kind = self.settings["url"], self.settings["store"]
        match kind:
            case "sqlite":
                connection = sqlite3.connect(url.removeprefix("sqlite:").partition("?")[0])
                statement = statement.replace("%s", "?")
            case "postgres":
                connection = psycopg.connect(url)
            case "mysql":
                user, place = url.removeprefix("mysql://").split("@")
                (user, password), (address, database) = user.split(":"), place.split("/")
                host, port = address.split(":")
                connection = pymysql.connect(host=host, port=int(port), user=user, password=password, database=database)
        with contextlib.closing(connection):
            cursor = connection.cursor()
            cursor.execute(statement, values)
            rows = list(cursor.fetchall()) if cursor.description else []
            connection.commit()
        return rows

    def row(self, key):
        return next(iter(self.rows(f"SELECT data, expiry FROM {self.settings['table']} WHERE session_id = %s", key)), None)

    def load(self, key):
        row = self.row(key)
        return row and bytes(row[0])

    def store(self, key, value):
        now = datetime.now(timezone.utc).replace(tzinfo=None)
        expiry = now.replace(year=now.year + 1).isoformat(" ", "microseconds")
        self.rows(f"INSERT INTO {self.settings['table']} (session_id, data, expiry) VALUES (%s, %s, %s)", key, value, expiry)

    def left(self, key):
        expiry = self.row(key)[1]
        expiry = datetime.fromisoformat(expiry) if isinstance(expiry, str) else expiry
        return (expiry - datetime.now(timezone.utc).replace(tzinfo=None)).total_seconds()

    def columns(self):
        """What the database says of the table's columns."""
        table = self.settings["table"]
        if self.settings["store"] == "sqlite":
            return self.rows(f"SELECT name, type, pk FROM pragma_table_info('{table}') ORDER BY cid")
        return self.rows(
            "SELECT column_name, data_type, character_maximum_length FROM information_schema.columns"
            " WHERE table_name = %s ORDER BY ordinal_position",
            table,
        )


class InDynamoDb(Entries):
    def __init__(self, settings):
        super().__init__(settings)
        credentials = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
        resource = boto3.resource("dynamodb", endpoint_url=settings["url"], region_name="us-west-2", **credentials)
        self.table = resource.Table(settings["table"])

    def item(self, key):
        return self.table.get_item(Key={"id": key}, ConsistentRead=True).get("Item")

    def load(self, key):
        item = self.item(key)
        # A tombstone is an attribute of the item itself.
        return bytes(item["val"]) if item and "gone_until" not in item else None

    def store(self, key, value):
        self.table.put_item(Item={"id": key, "val": value, "expiration": int(time.time()) + LIFETIME})

    def left(self, key):
        return float(self.item(key)["expiration"]) - time.time()

    def columns(self):
        return self.table.key_schema, self.table.attribute_definitions, self.table.billing_mode_summary["BillingMode"]


def entries(settings):
    kinds = {"redis": InRedis, "memcached": InMemcached, "filesystem": InFiles, "cachelib": InFiles, "dynamodb": InDynamoDb}
    return kinds.get(settings["store"], InDatabase)(settings)


def cookie_of(jar):
    """The value of the session's one cookie, None if there is none."""
    values = [cookie.value for cookie in jar.cookies if cookie.name == "session"]
    assert len(values) <= 1
    return values[0] if values else None


@contextlib.contextmanager
def browser(cookie=None):
    """A browser's cookie jar, with a session's cookie in it if one is given."""
    with requests.Session() as jar:
        jar.trust_env = False
        if cookie is not None:
            jar.cookies.set("session", cookie, domain="127.0.0.1")
        yield jar
