"""Cloakroom's encrypted tokens a second time, from their description alone and on another implementation of the cipher.

    python encrypted.py > ../crates/cloakroom/tests/vectors/encrypted.json

writes the vectors that the Rust tests open and make again, byte for byte.
"""

import base64
import binascii
import json
import zlib

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCMSIV
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

VERSION = b"v1."
HEADER = 19
LONGEST = 32 * 1024


class Refused(Exception):
    """Why a token is not opened, as a word."""


def derive(secret, purpose, name=b"", tenant=None):
    """The key for a purpose."""
    info = b"cloakroom v1"
    for field in [purpose, name] if tenant is None else [purpose, name, tenant]:
        info += len(field).to_bytes(8, "big") + field
    return HKDF(SHA256(), 32, salt=None, info=info).derive(secret)


def frame(content, issued_at, expires_at, block=64, compress=False):
    """What is encrypted. A block of 0 is no padding."""
    flags = 0
    if compress and len(stream := zlib.compress(content, 6)) < len(content):
        content, flags = stream, 1
    padding = -(HEADER + len(content)) % block if block else 0
    times = issued_at.to_bytes(8, "big") + expires_at.to_bytes(8, "big")
    return times + bytes([flags]) + padding.to_bytes(2, "big") + content + bytes(padding)


def encrypt(key, nonce, plaintext):
    token = nonce + AESGCMSIV(key).encrypt(nonce, plaintext, VERSION)
    return VERSION + base64.urlsafe_b64encode(token).rstrip(b"=")


def raw(token):
    """Nonce, ciphertext and tag."""
    if len(token) > LONGEST:
        raise Refused("too_long")
    text = token.removeprefix(VERSION)
    try:
        decoded = base64.b64decode(text + b"=" * (-len(text) % 4), b"-_", validate=True)
    except binascii.Error:
        raise Refused("malformed") from None
    # One spelling only: no padding, no bits that no byte takes.
    canonical = base64.urlsafe_b64encode(decoded).rstrip(b"=") == text
    if not token.startswith(VERSION) or not canonical or len(decoded) < 12 + 16:
        raise Refused("malformed")
    return decoded


def decrypt(keys, token):
    """The index of the key that opens the token, and what is in it."""
    decoded = raw(token)
    for index, key in enumerate(keys):
        try:
            return index, AESGCMSIV(key).decrypt(decoded[:12], decoded[12:], VERSION)
        except InvalidTag:
            continue
    raise Refused("undecryptable")


def unframe(plaintext, now, leeway=0, most=1024 * 1024):
    if len(plaintext) < HEADER:
        raise Refused("unknown_layout")
    issued_at, expires_at = int.from_bytes(plaintext[:8], "big"), int.from_bytes(plaintext[8:16], "big")
    flags, padding = plaintext[16], int.from_bytes(plaintext[17:19], "big")
    content = plaintext[HEADER:]
    if flags > 1 or padding > len(content) or any(content[len(content) - padding :]):
        raise Refused("unknown_layout")
    content = content[: len(content) - padding]
    if issued_at > now + leeway:
        raise Refused("from_the_future")
    if now > expires_at:
        raise Refused("expired")
    if flags:
        inflater = zlib.decompressobj()
        try:
            content = inflater.decompress(content, most)
        except zlib.error:
            raise Refused("payload") from None
        if not inflater.eof:
            raise Refused("payload")
    return {"content": content, "issued_at": issued_at, "expires_at": expires_at}


def open_token(keys, token, now, leeway=0):
    """What `Sealer::open_at` gives."""
    index, plaintext = decrypt(keys, token)
    return {"key_index": index, **unframe(plaintext, now, leeway)}


# The vectors. Nonces are counted here so that the file is always the same; a sealer takes random ones.

NOW = 1_700_000_000
SECRET, OLDER, OLDEST = b"the key that seals now", b"the key of last year", bytes(range(256))
PURPOSE = {"purpose": "cookie-session", "name": "__Host-session", "tenant": None}


def key_of(secret, purpose, name, tenant):
    return derive(secret, purpose.encode(), name.encode(), None if tenant is None else tenant.encode())


def numbered_nonces():
    number = 0
    while True:
        number += 1
        yield number.to_bytes(12, "big")


def seal_rows(nonces):
    """Tokens that are opened, and that come out the same when they are made again with the nonce."""
    text = b'{"username":"alice"}'
    cases = [
        ("a session", {}),
        ("nothing", {"content": b""}),
        ("one byte, without padding", {"content": b"x", "block": 0}),
        ("exactly one block", {"content": b"x" * (64 - HEADER)}),
        ("one byte more than a block", {"content": b"x" * (65 - HEADER)}),
        ("blocks of one byte", {"block": 1}),
        ("blocks of 65535 bytes, though the content is none", {"content": b"", "block": 19}),
        ("every byte there is", {"content": bytes(range(256))}),
        ("compressed", {"content": b"again and " * 50, "compress": True}),
        ("compressed without padding", {"content": b"again and " * 50, "compress": True, "block": 0}),
        ("too short to become shorter", {"compress": True}),
        ("the longest cookie", {"content": b"%" * 3000}),
        ("no name", {"name": ""}),
        ("no purpose at all", {"purpose": "", "name": ""}),
        ("a tenant", {"tenant": "acme"}),
        ("a tenant without a name, which is not no tenant", {"tenant": ""}),
        ("texts beyond ASCII", {"purpose": "für später", "name": "n\u0000me", "tenant": "株式会社"}),
        ("a key that only opens", {"sealed_by": 1}),
        ("the oldest key", {"sealed_by": 2}),
        ("in its last second", {"issued_at": NOW - 10, "expires_at": NOW}),
        ("made in 1970, for ever", {"issued_at": 0, "expires_at": 2**64 - 1}),
        ("from the future, within the leeway", {"issued_at": NOW + 5, "leeway": 5}),
    ]
    secrets = [OLDEST, OLDER, SECRET]
    for note, case in cases:
        purpose = {field: case.get(field, PURPOSE[field]) for field in PURPOSE}
        content = case.get("content", text)
        issued_at = case.get("issued_at", NOW)
        expires_at = case.get("expires_at", issued_at + 3600)
        block, compress = case.get("block", 64), case.get("compress", False)
        sealed_by = case.get("sealed_by", 0)
        nonce = next(nonces)
        key = key_of(secrets[-1 - sealed_by], **purpose)
        plaintext = frame(content, issued_at, expires_at, block, compress)
        yield {
            "note": note,
            "secrets_hex": [secret.hex() for secret in secrets],
            "sealed_by": sealed_by,
            **purpose,
            "now": NOW,
            "leeway": case.get("leeway", 0),
            "issued_at": issued_at,
            "expires_at": expires_at,
            "block": block,
            "compress": compress,
            "content_hex": content.hex(),
            "nonce_hex": nonce.hex(),
            "key_hex": key.hex(),
            "plaintext_hex": plaintext.hex(),
            "token": encrypt(key, nonce, plaintext).decode(),
        }


def refused_rows(nonces):
    """Tokens that are refused, and why."""
    key = key_of(SECRET, **PURPOSE)
    plaintext = frame(b'{"username":"alice"}', NOW, NOW + 3600)
    good = encrypt(key, bytes(12), plaintext).decode()

    def made(key=key, plaintext=plaintext):
        return encrypt(key, next(nonces), plaintext).decode()

    def changed(place, *values):
        return made(plaintext=plaintext[:place] + bytes(values) + plaintext[place + len(values) :])

    bare = frame(b"", NOW, NOW + 3600, 0)
    decoded = raw(good.encode())
    spare = {0: 0, 3: 2, 2: 4}[len(good[3:]) % 4]
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    assert spare, "the last character has bits to spare"
    rows = [
        ("another purpose", made(key_of(SECRET, **{**PURPOSE, "purpose": "password-reset"})), "undecryptable"),
        ("another cookie's name", made(key_of(SECRET, **{**PURPOSE, "name": "session"})), "undecryptable"),
        ("a tenant's", made(key_of(SECRET, **{**PURPOSE, "tenant": "acme"})), "undecryptable"),
        ("the tenant without a name", made(key_of(SECRET, **{**PURPOSE, "tenant": ""})), "undecryptable"),
        ("the same text, cut elsewhere", made(key_of(SECRET, "cookie-session__", "Host-session", None)), "undecryptable"),
        ("another secret", made(key_of(OLDER, **PURPOSE)), "undecryptable"),
        ("the secret itself as the key", made(SECRET.ljust(32, b"\0")), "undecryptable"),
        ("without its last byte", "v1." + base64.urlsafe_b64encode(decoded[:-1]).rstrip(b"=").decode(), "undecryptable"),
        ("nonce and tag alone", "v1." + base64.urlsafe_b64encode(bytes(28)).rstrip(b"=").decode(), "undecryptable"),
        ("a byte too few for nonce and tag", "v1." + base64.urlsafe_b64encode(bytes(27)).decode(), "malformed"),
        ("nothing", "", "malformed"),
        ("the version alone", "v1.", "malformed"),
        ("no version", good[3:], "malformed"),
        ("another version", "v2." + good[3:], "malformed"),
        ("the version in capitals", "V1." + good[3:], "malformed"),
        ("with a space before it", " " + good, "malformed"),
        ("with a line end after it", good + "\n", "malformed"),
        ("with padding characters", good + "=" * (-len(good[3:]) % 4), "malformed"),
        ("with bits that no byte takes", good[:-1] + alphabet[alphabet.index(good[-1]) | 1], "malformed"),
        ("with a foreign character", good[:20] + "!" + good[21:], "malformed"),
        ("a character too long", "v1." + "A" * (LONGEST - 2), "too_long"),
        ("as long as a token may be", "v1." + "A" * (LONGEST - 4), "undecryptable"),
        ("an unknown flag", changed(16, 2), "unknown_layout"),
        ("another unknown flag", changed(16, 0x81), "unknown_layout"),
        ("padding that is not zero", changed(len(plaintext) - 1, 1), "unknown_layout"),
        ("more padding than there are bytes", changed(17, 0xFF, 0xFF), "unknown_layout"),
        ("padding that begins in the content", changed(18, plaintext[18] + 1), "unknown_layout"),
        ("no room for the times", made(plaintext=bare[:-1]), "unknown_layout"),
        ("nothing encrypted", made(plaintext=b""), "unknown_layout"),
        ("past its last second", made(plaintext=frame(b"", NOW - 10, NOW - 1)), "expired"),
        ("expired before it was made", made(plaintext=frame(b"", NOW, 0)), "expired"),
        ("from the next second", made(plaintext=frame(b"", NOW + 1, NOW + 2)), "from_the_future"),
        ("called compressed, and not", changed(16, 1), "payload"),
        (
            "compressed, but cut off",
            made(plaintext=bare[:16] + b"\1\0\0" + zlib.compress(b"again and again", 6)[:-5]),
            "payload",
        ),
    ]
    for note, token, error in rows:
        yield {"note": note, "secret_hex": SECRET.hex(), **PURPOSE, "now": NOW, "token": token, "error": error}


def session_rows(nonces):
    """Whole sessions: the cookie that a manager with the native settings reads."""
    for note, json_text, cookie_name, tenant in [
        ("logged in", '{"_user_id":"alice","visits":3}', "__Host-session", None),
        ("of a tenant", '{"_user_id":"alice"}', "__Host-session", "acme"),
        ("under Flask's name", '{"a":{" t":[1,2]}}', "session", None),
        ("empty", "{}", "__Host-session", None),
    ]:
        purpose = {"purpose": "cookie-session", "name": cookie_name, "tenant": tenant}
        lifetime = 31 * 24 * 60 * 60
        token = encrypt(key_of(SECRET, **purpose), next(nonces), frame(json_text.encode(), NOW, NOW + lifetime))
        yield {
            "note": note,
            "secret_hex": SECRET.hex(),
            "cookie_name": cookie_name,
            "tenant": tenant,
            "now": NOW,
            "json": json_text,
            "token": token.decode(),
        }


def vectors():
    nonces = numbered_nonces()
    sections = {
        "seal": list(seal_rows(nonces)),
        "refused": list(refused_rows(nonces)),
        "sessions": list(session_rows(nonces)),
    }
    count = sum(map(len, sections.values()))
    return json.dumps({"file": "encrypted.json", "vectors": count, **sections}, indent=1) + "\n"


if __name__ == "__main__":
    print(vectors(), end="")
