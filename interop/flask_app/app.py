"""The Flask twin of the tour: the same pages, the same session keys, the same cookie.

Give both the same SECRET_KEY and one browser can walk from one to the other without noticing.

    SECRET_KEY=... PORT=5001 python app.py
"""

import os
import sqlite3
import string
from datetime import timedelta
from urllib.parse import urlsplit

from flask import (
    Flask,
    abort,
    flash,
    g,
    get_flashed_messages,
    jsonify,
    make_response,
    redirect,
    render_template,
    request,
    session,
    url_for,
)
from flask.json.tag import TaggedJSONSerializer
from itsdangerous import BadData

app = Flask(__name__)
app.config.update(
    SECRET_KEY=os.environ["SECRET_KEY"],
    SECRET_KEY_FALLBACKS=[key for key in os.environ.get("SECRET_KEY_FALLBACKS", "").split(",") if key],
    SESSION_COOKIE_SAMESITE="Lax",
    PERMANENT_SESSION_LIFETIME=timedelta(days=7),
    SESSION_REFRESH_EACH_REQUEST=False,  # as in the tour: a page that only reads sends no cookie
    DATABASE=os.environ.get("DATABASE", "todo.sqlite"),
)


@app.before_request
def refuse_posts_from_other_sites():
    """A browser says where a form came from; a form of another site is turned away."""
    if request.method in ("GET", "HEAD", "OPTIONS"):
        return
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:
        if site not in ("same-origin", "none"):
            abort(403)
    elif urlsplit(request.headers.get("Origin", "")).netloc != request.host:
        abort(403)


@app.get("/")
def index():
    return render_template("index.html")


# --- visit counter ---


@app.get("/counter")
def counter():
    session["visits"] = session.get("visits", 0) + 1
    return render_template("counter.html", visits=session["visits"])


@app.post("/counter/reset")
def counter_reset():
    session.pop("visits", None)
    return redirect(url_for("counter"))


# --- first name ---


@app.get("/name")
def name():
    return render_template("name.html")


@app.post("/name")
def name_save():
    session["firstName"] = request.form["first_name"]
    return redirect(url_for("name"))


@app.post("/name/clear")
def name_clear():
    session.clear()
    return redirect(url_for("name"))


# --- login, logout, remember me ---


@app.get("/login")
def login():
    return render_template("login.html")


@app.post("/login")
def login_save():
    username = request.form.get("username", "").strip()
    if not username:
        flash("Please enter a name", "error")
        return redirect(url_for("login"))
    logins = session.get("logins", 0)
    if session.get("username", username) != username:
        session.clear()  # what another user left here, as the tour does
    session["username"] = username
    session["logins"] = logins + 1
    session.permanent = "remember" in request.form
    flash(f"Welcome back, {username}" if logins else f"Welcome, {username}", "success")
    return redirect(url_for("account"))


@app.get("/account")
def account():
    return render_template("account.html")


@app.post("/logout")
def logout():
    session.pop("username", None)
    session.pop("_user_id", None)  # the tour's login, where Flask-Login's is: as its logout_user() does
    return redirect(url_for("account"))


@app.get("/remember")
def remember():
    return render_template("remember.html", lifetime=app.permanent_session_lifetime)


@app.post("/remember")
def remember_save():
    session.permanent = request.form.get("remember") == "yes"
    return redirect(url_for("remember"))


# --- flash messages ---


@app.get("/flash")
def flash_page():
    return render_template("flash.html")


@app.post("/flash")
def flash_send():
    title = request.form.get("title", "").strip()
    if title:
        flash(title, request.form.get("category") or "message")
    else:
        flash("Title is required!", "error")
    return redirect(url_for("flash_page"))


@app.get("/flash/messages")
def flash_messages():
    return jsonify(get_flashed_messages(with_categories=True))


# --- plain cookies ---


@app.get("/cookies")
def cookies():
    return render_template("cookies.html")


@app.post("/cookies/set")
def cookies_set():
    response = make_response(redirect(url_for("cookies")))
    response.set_cookie(
        request.form.get("name") or "username",
        request.form.get("value", "John"),
        max_age=timedelta(hours=1),
        samesite="Lax",
    )
    return response


@app.post("/cookies/delete")
def cookies_delete():
    response = make_response(redirect(url_for("cookies")))
    response.delete_cookie(request.form.get("name") or "username", samesite="Lax")
    return response


# --- to-do list, for who is logged in ---


def database():
    """One connection for each request; the table is made when it is missing."""
    if "database" not in g:
        g.database = sqlite3.connect(app.config["DATABASE"])
        g.database.row_factory = sqlite3.Row
        g.database.execute(
            "CREATE TABLE IF NOT EXISTS todo"
            " (id INTEGER PRIMARY KEY, username TEXT NOT NULL, title TEXT NOT NULL, done INTEGER NOT NULL DEFAULT 0)"
        )
    return g.database


@app.teardown_appcontext
def close_database(_error):
    if connection := g.pop("database", None):
        connection.close()


def whose_list():
    """The name of who is logged in; everybody else goes to the login form."""
    if "username" not in session:
        flash("Please log in to see your list", "error")
        abort(redirect(url_for("login")))
    return session["username"]


@app.get("/todo")
def todo():
    rows = database().execute("SELECT id, title, done FROM todo WHERE username = ? ORDER BY id", [whose_list()])
    return render_template("todo.html", todos=rows.fetchall())


@app.post("/todo")
def todo_add():
    username, title = whose_list(), request.form.get("title", "").strip()
    if title:
        with database() as connection:
            connection.execute("INSERT INTO todo (username, title) VALUES (?, ?)", [username, title])
    else:
        flash("Title is required!", "error")
    return redirect(url_for("todo"))


@app.post("/todo/<int:id>/toggle")
def todo_toggle(id):
    with database() as connection:
        connection.execute("UPDATE todo SET done = NOT done WHERE id = ? AND username = ?", [id, whose_list()])
    return redirect(url_for("todo"))


@app.post("/todo/<int:id>/delete")
def todo_delete(id):
    with database() as connection:
        connection.execute("DELETE FROM todo WHERE id = ? AND username = ?", [id, whose_list()])
    return redirect(url_for("todo"))


# --- change one character of your own cookie ---

LETTERS = string.ascii_letters + string.digits + "-_"


@app.get("/tamper")
def tamper():
    # Flask opens a cookie that it refuses as an empty session and does not say why; its serializer does.
    cookie, reason = request.cookies.get("session"), None
    if cookie:
        try:
            serializer = app.session_interface.get_signing_serializer(app)
            serializer.loads(cookie, max_age=app.permanent_session_lifetime.total_seconds())
        except BadData as error:
            reason = type(error).__name__
    return render_template("tamper.html", cookie=cookie, reason=reason, changed="changed" in request.cookies)


@app.post("/tamper")
def tamper_change():
    cookie, position = request.cookies.get("session", ""), request.form.get("position", type=int)
    if position not in range(1, len(cookie) + 1):
        return redirect(url_for("tamper"))
    before = cookie[position - 1]
    after = request.form.get("character") or LETTERS[(LETTERS.find(before) + 1) % len(LETTERS)]
    response = with_character(cookie, position, after)
    response.set_cookie("changed", f"{position}-{before}", httponly=True, samesite="Lax")
    return response


@app.post("/tamper/restore")
def tamper_restore():
    position, _, before = request.cookies.get("changed", "").partition("-")
    cookie = request.cookies.get("session", "")
    if position.isdecimal() and int(position) in range(1, len(cookie) + 1):
        response = with_character(cookie, int(position), before)
    else:
        response = make_response(redirect(url_for("tamper")))
    response.delete_cookie("changed", httponly=True, samesite="Lax")
    return response


@app.post("/tamper/reset")
def tamper_reset():
    session.clear()
    response = make_response(redirect(url_for("tamper")))
    response.delete_cookie("changed", httponly=True, samesite="Lax")
    return response


def with_character(cookie, position, character):
    """Only the browser's copy changes: the cookie is set as it is, past the session."""
    response = make_response(redirect(url_for("tamper")))
    changed = cookie[: position - 1] + character + cookie[position:]
    response.set_cookie("session", changed, httponly=True, samesite="Lax")
    return response


# --- for the tests: the session as text ---

tagged = TaggedJSONSerializer()


@app.get("/session.json")
def session_show():
    return jsonify(session=tagged.dumps(dict(session)), permanent=session.permanent)


@app.post("/session.json")
def session_replace():
    content = tagged.loads(request.get_data(as_text=True))
    session.clear()
    session.update(content)
    return session_show()


if __name__ == "__main__":
    app.run(host="127.0.0.1", port=int(os.environ.get("PORT", "5001")), threaded=True)
