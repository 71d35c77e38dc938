"""For a Flask app whose sessions `cloakroom sessions migrate` has copied out of a cachelib folder into Redis.

The folder knows the hashes of keys and not the keys, so the copies wait under `sha256:HASH`. With this client as
SESSION_REDIS, Flask-Session finds them when the visitor comes back:

    app.config["SESSION_REDIS"] = HashedRedis.from_url("redis://localhost")

Leave it out when what was copied has ended.
"""

from contextlib import suppress
from hashlib import sha256

from redis import Redis, ResponseError


def hashed(key):
    return f"sha256:{sha256(key.encode()).hexdigest()}"


class HashedRedis(Redis):
    def get(self, name):
        value = super().get(name)
        if value is None:
            with suppress(ResponseError):  # nothing waits there
                self.renamenx(hashed(name), name)
            value = super().get(name)
        return value

    def delete(self, *names):
        return super().delete(*names, *map(hashed, names))
