@app.post("/login")
def log_in():
    name = request.form["username"].strip()
    if not name:
        flash("Please enter a name", "error")
        return redirect("/login")
    session["username"] = name
    logins = session.get("logins", 0) + 1
    session["logins"] = logins
    session.permanent = "remember" in request.form
    again = "Welcome back" if logins > 1 else "Welcome"
    flash(f"{again}, {name}", "success")
    return redirect("/account")
