# Flask, Flask-Login and Flask-Session keep no list of
# logins. A site that wants one builds it: a table with
# a row for each login, written by the login page …


@app.before_request
def still_listed():
    # … asked at each request, or a copied cookie
    # stays good until it expires …
    if "login_id" in session:
        found = database().execute(
            "SELECT 1 FROM logins WHERE id = ?",
            (session["login_id"],),
        )
        if found.fetchone() is None:
            session.clear()


@app.get("/devices")
def devices():
    rows = database().execute(
        "SELECT * FROM logins WHERE owner = ?", (owner(),)
    )
    return render_template("devices.html", devices=rows)


@app.post("/devices/end-others")
def end_others():
    # … and cleaned up, renewed and kept in step with
    # logouts, all by the application itself.
    with database() as connection:
        connection.execute(
            "DELETE FROM logins"
            " WHERE owner = ? AND id <> ?",
            (owner(), session["login_id"]),
        )
    return redirect("/devices")
