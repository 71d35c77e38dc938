@app.get("/counter")
def counter():
    visits = session.get("visits", 0) + 1
    session["visits"] = visits
    return render_template("counter.html", visits=visits)


@app.post("/counter/reset")
def reset():
    session.pop("visits", None)
    return redirect("/counter")
