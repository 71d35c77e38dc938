app.permanent_session_lifetime = timedelta(days=7)


@app.post("/remember")
def remember():
    session.permanent = request.form["remember"] == "yes"
    return redirect("/remember")
