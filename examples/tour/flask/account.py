@app.get("/account")
def account():
    # what a page asks that changes a password: Flask-Login
    # tells a login by hand from a remembered one, not when
    fresh = login_fresh()
    # the template reads session.username
    return render_template("account.html", fresh=fresh)


@app.post("/logout")
def log_out():
    session.pop("username", None)
    logout_user()  # Flask-Login's: takes _user_id off
    return redirect("/account")
