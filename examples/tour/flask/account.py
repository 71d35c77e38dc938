@app.get("/account")
def account():
    return render_template("account.html")  # reads session.username


@app.post("/logout")
def log_out():
    session.pop("username", None)
    return redirect("/account")
