@app.get("/account")
def account():
    # the template reads session.username
    return render_template("account.html")


@app.post("/logout")
def log_out():
    session.pop("username", None)
    return redirect("/account")
