"""Real Flask, itsdangerous and Werkzeug behind a line protocol.

One JSON object per line in, one per line out, in the same order. The Rust peer (`src/main.rs`) answers the same
questions from Cloakroom; whatever the two answer differently is a bug, or a difference that COMPATIBILITY.md names.

Every question names an operation `op`. Sessions travel as the text of Flask's tagged JSON, headers as text with one
character for each byte (Latin-1).

dumps         key, now, session                         -> cookie
loads         key, now, cookie [, fallbacks, max_age]   -> session | refused
touch         key, now, cookie [, fallbacks, max_age]   -> cookie | refused   sign again, every entry untouched
rebuild       key, now, cookie [, fallbacks, max_age]   -> cookie | refused   decode every entry and write it again
parse_cookie  header                                    -> pairs              of a Cookie header, grouped by name
dump_cookie   name, value, now [, max_age, path, domain, secure, httponly, samesite, partitioned] -> header

`now` is in Unix seconds, `max_age` in seconds (Flask's 31 days when left out), `fallbacks` is oldest first.
A `refused` holds the reason: bad_signature, bad_timestamp, from_the_future, expired, bad_payload.
"""

import functools
import json
import sys

from flask import Flask
from flask.json.tag import TaggedJSONSerializer
from flask.sessions import SecureCookieSession, SecureCookieSessionInterface
from itsdangerous import BadData, BadPayload, BadTimeSignature, SignatureExpired, TimestampSigner
from werkzeug.http import dump_cookie, parse_cookie

THIRTY_ONE_DAYS = 31 * 24 * 60 * 60

tagged = TaggedJSONSerializer()


class StoppedClock(TimestampSigner):
    """Signs and judges at the second that the question names."""

    now = 0

    def get_timestamp(self):
        return StoppedClock.now


@functools.cache
def serializer(key, fallbacks):
    """The serializer that Flask makes for its session cookie, with its clock stopped."""
    app = Flask("oracle")
    app.config.update(SECRET_KEY=key, SECRET_KEY_FALLBACKS=list(fallbacks))
    signing = SecureCookieSessionInterface().get_signing_serializer(app)
    signing.signer = StoppedClock
    return signing


def dumps(session, key, now):
    """The cookie value that Flask sends for `session`."""
    StoppedClock.now = now
    return serializer(key, ()).dumps(dict(session))


def loads(cookie, key, now, fallbacks=(), max_age=THIRTY_ONE_DAYS):
    """The session that Flask reads from `cookie`; raises what itsdangerous raises."""
    StoppedClock.now = now
    return SecureCookieSession(serializer(key, tuple(fallbacks)).loads(cookie, max_age=max_age))


def touch(cookie, key, now, fallbacks=(), max_age=THIRTY_ONE_DAYS):
    """The cookie signed again: what nobody changed keeps its bytes."""
    StoppedClock.now = now
    payload = serializer(key, tuple(fallbacks)).make_signer().unsign(cookie, max_age=max_age)
    return serializer(key, ()).make_signer().sign(payload).decode()


def reason(error):
    """The code of a refusal, from itsdangerous' exceptions."""
    match error:
        case SignatureExpired():
            return "from_the_future" if error.message.endswith("< 0 seconds") else "expired"
        # With a cause, the signature was wrong as well.
        case BadTimeSignature() if error.message.startswith(("Malformed", "timestamp")) and not error.__cause__:
            return "bad_timestamp"
        case BadPayload():
            return "bad_payload"
        case _:
            return "bad_signature"


def answer(question):
    """Answers one question of the protocol."""
    question = dict(question)
    match question.pop("op"):
        case "dumps":
            return {"cookie": dumps(tagged.loads(question.pop("session")), **question)}
        case "loads" | "touch" | "rebuild" as op:
            try:
                session = loads(**question)
            except BadData as error:
                return {"refused": reason(error)}
            if op == "loads":
                return {"session": tagged.dumps(dict(session))}
            if op == "touch":
                return {"cookie": touch(**question)}
            return {"cookie": dumps(session, question["key"], question["now"])}
        case "parse_cookie":
            return {"pairs": list(parse_cookie(question["header"]).items(multi=True))}
        case "dump_cookie":
            now, max_age = question.pop("now"), question.get("max_age")
            expires = None if max_age is None else now + max_age
            return {"header": dump_cookie(question.pop("name"), question.pop("value"), expires=expires, **question)}
        case other:
            raise ValueError(f"unknown op {other!r}")


# Flask sorts keys and escapes non-ASCII text only where an app is at work, as it is in every request.
Flask("oracle").app_context().push()

if __name__ == "__main__":
    for line in sys.stdin:
        print(json.dumps(answer(json.loads(line))), flush=True)
