@app.get("/counter")
def counter():
    session["visits"] = session.get("visits", 0) + 1
    return render_template("counter.html", visits=session["visits"])


@app.post("/counter/reset")
def reset():
    session.pop("visits", None)
    return redirect("/counter")
