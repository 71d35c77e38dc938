"""What the sessions hold: the same as in bench/subjects/src/content.rs."""

MIDDLE = "key_07"


def twenty():
    return {f"key_{at:02}": f"value {at}" for at in range(20)}


def large():
    return {f"key_{at:02}": text(at) for at in range(79)}


def text(at):
    mixed = (at + 1) * 0x9E37_79B9_7F4A_7C15 % 2**64
    rotated = (mixed << 29 | mixed >> 35) % 2**64
    return f"{mixed:016x}{rotated ^ mixed:016x}"
