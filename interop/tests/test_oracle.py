"""The oracle tells the truth: checked against values worked out by hand from Flask's documentation."""

KEY, NOW = "secret-key", 1_700_000_000
COOKIE = "eyJhIjoxfQ.ZVPxAA.kLN1Gx0L6rY_ztgI9I8kkga4vjo"


def test_the_oracle_answers_as_flask_does(oracle_process):
    opening = {"key": KEY, "now": NOW, "cookie": COOKIE}
    assert oracle_process.ask(
        [
            {"op": "dumps", "key": KEY, "now": NOW, "session": '{"a": 1}'},
            {"op": "loads", **opening},
            {"op": "touch", **opening},
            {"op": "rebuild", **opening, "now": NOW + 1},
            {"op": "loads", **opening, "key": "another", "fallbacks": [KEY]},
            {"op": "loads", **opening, "key": "another"},
            {"op": "loads", **opening, "now": NOW + 11, "max_age": 10},
            {"op": "loads", **opening, "now": NOW - 1},
            {"op": "parse_cookie", "header": 'a=1; b="x\\054y"; a=2'},
            {"op": "dump_cookie", "name": "a", "value": "x,y", "now": NOW, "max_age": 5, "httponly": True},
        ]
    ) == [
        {"cookie": COOKIE},
        {"session": '{"a":1}'},
        {"cookie": COOKIE},
        {"cookie": "eyJhIjoxfQ.ZVPxAQ.iJUJg3BNd9Y7vwfEJMqBFlz-zbQ"},
        {"session": '{"a":1}'},
        {"refused": "bad_signature"},
        {"refused": "expired"},
        {"refused": "from_the_future"},
        {"pairs": [["a", "1"], ["a", "2"], ["b", "x,y"]]},
        {"header": 'a="x\\054y"; Expires=Tue, 14 Nov 2023 22:13:25 GMT; Max-Age=5; HttpOnly; Path=/'},
    ]
