"""Real Flask-WTF and Flask-Login behind the same requests as `src/bin/neighbour.rs`, with the same settings.

All of them are Flask's, in `FLASK_…`; `PORT` says where to listen.
"""

import os
from datetime import timedelta

from flask import Flask, jsonify, render_template, request, session
from flask.json.tag import TaggedJSONSerializer
from flask_login import (
    LoginManager,
    UserMixin,
    confirm_login,
    current_user,
    login_fresh,
    login_required,
    login_user,
    logout_user,
)
from flask_wtf.csrf import CSRFProtect

app = Flask(__name__)
app.config.from_prefixed_env()
csrf = CSRFProtect(app)
logins = LoginManager(app)
logins.login_view, logins.login_message = "who", None
tagged = TaggedJSONSerializer()


class User(UserMixin):
    def __init__(self, id):
        self.id = id


@logins.user_loader
def load(id):
    return User(id)


@app.get("/form")
def form():
    return render_template("form.html")


@app.post("/form")
def save():
    return request.form["name"]


@app.post("/api")
def api():
    return "Done"


@app.post("/hook")
@csrf.exempt
def hook():
    return "Done"


@app.get("/who")
def who():
    known = current_user.is_authenticated
    return jsonify(user=current_user.get_id() if known else None, fresh=known and login_fresh())


@app.post("/login")
def login():
    seconds = request.form.get("seconds", type=int)
    duration = None if seconds is None else timedelta(seconds=seconds)
    login_user(User(request.form["user"]), remember=request.form.get("remember") == "true", duration=duration)
    return who()


@app.get("/private")
@login_required
def private():
    return "Private"


@app.get("/next")
def wanted():
    return session.pop("next", "")


@app.post("/confirm")
def confirm():
    confirm_login()
    return who()


@app.post("/logout")
def logout():
    logout_user()
    return who()


@app.get("/session")
def show():
    return tagged.dumps(dict(session))


if __name__ == "__main__":
    app.run(host="127.0.0.1", port=int(os.environ["PORT"]), threaded=True)
