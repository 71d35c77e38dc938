@app.post("/flash")
def send():
    title = request.form["title"].strip()
    if not title:
        flash("Title is required!", "error")
    else:
        flash(title, request.form["category"])
    return redirect("/flash")


@app.get("/flash/messages")
def messages():
    return get_flashed_messages(with_categories=True)
