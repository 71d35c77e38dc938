"""Serves the Flask twin of the tour as bench/flask/serve.py serves its applications:

    SECRET_KEY=... twin.py [redis://...]

Its sessions are in the cookie, or with the URL of a Redis in that one, through Flask-Session.
"""

import logging
import sys
import threading
from pathlib import Path

BENCH = Path(__file__).resolve().parent.parent
sys.path += [str(BENCH / "flask"), str(BENCH.parent / "interop" / "flask_app")]

import waitress
from app import app
from serve import end_with_input


def main():
    if len(sys.argv) > 1:
        from flask_session import Session
        from redis import Redis

        app.config.update(SESSION_TYPE="redis", SESSION_REDIS=Redis.from_url(sys.argv[1]))
        Session(app)
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)
    server = waitress.create_server(app, host="127.0.0.1", port=0)
    print(f"listening on 127.0.0.1:{server.effective_port}", flush=True)
    threading.Thread(target=end_with_input, daemon=True).start()
    server.run()


if __name__ == "__main__":
    main()
