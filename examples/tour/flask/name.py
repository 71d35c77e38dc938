@app.post("/name")
def save():
    session["firstName"] = request.form["first_name"]
    return redirect("/name")


@app.post("/name/clear")
def clear():
    session.clear()
    return redirect("/name")
