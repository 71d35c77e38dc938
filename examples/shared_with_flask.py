"""The twin of shared_with_flask.rs: the same page in Flask, with the same key and the same cookie.

    export SECRET_KEY=...        # the one that the Rust server has
    python examples/shared_with_flask.py
"""

import os

from flask import Flask, redirect, render_template_string, request, session

app = Flask(__name__)
app.secret_key = os.environ["SECRET_KEY"]

PAGE = """<p>Flask: logged in as {{ session.get('username', 'nobody') }}, {{ session['visits'] }} visits here and there</p>
<form method="post" action="/login"><input name="username" required> <button>Log in</button></form>
<a href="http://127.0.0.1:3000">On to Rust</a>"""


@app.get("/")
def index():
    session["visits"] = session.get("visits", 0) + 1
    return render_template_string(PAGE)


@app.post("/login")
def login():
    session["username"] = request.form["username"]
    return redirect("/")


if __name__ == "__main__":
    app.run(host="127.0.0.1", port=int(os.environ.get("PORT", "3001")))
