"""The Flask twin does by itself what the tour is measured against."""

import json

import requests

SECRET = "a-secret-for-the-flask-twin-alone"


def test_each_page_of_the_flask_app_works(start_flask, jar):
    with start_flask(SECRET) as site:
        for path in ["/", "/counter", "/name", "/login", "/account", "/remember", "/flash", "/cookies", "/todo", "/tamper"]:
            assert "<h1>" in site.get(jar, path).text

        assert "Hello, <strong>Ada</strong>" in site.post(jar, "/name", {"first_name": "Ada"}).text
        assert "Hello" not in site.post(jar, "/name/clear").text

        assert "Welcome, alice" in site.post(jar, "/login", {"username": "alice"}).text
        assert "You are not logged in" in site.post(jar, "/logout").text
        assert "Welcome back, alice" in site.post(jar, "/login", {"username": "alice", "remember": "on"}).text
        assert "for 7 days" in site.get(jar, "/remember").text
        assert json.loads(site.session(jar)[0]) == {"_permanent": True, "logins": 2, "username": "alice"}

        assert "Buy milk" in site.post(jar, "/todo", {"title": "Buy milk"}).text
        assert "<s>Buy milk</s>" in site.post(jar, "/todo/1/toggle").text
        assert "Buy milk" not in site.post(jar, "/todo/1/delete").text

        site.post(jar, "/flash", {"title": "Saved", "category": "success"})
        assert site.flashes(jar) == []  # the page already showed it

        assert "<dd>John</dd>" in site.post(jar, "/cookies/set").text
        assert "No cookies" in site.post(jar, "/cookies/delete").text


def test_the_flask_app_turns_away_forms_of_other_sites(start_flask):
    with start_flask(SECRET) as site:
        for headers in [{}, {"Origin": "http://evil.example"}, {"Origin": site.url, "Sec-Fetch-Site": "cross-site"}]:
            assert requests.post(site.url + "/login", {"username": "mallory"}, headers=headers).status_code == 403
