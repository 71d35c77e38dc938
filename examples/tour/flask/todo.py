def owner():
    """Who is logged in; others go to the login form."""
    if "username" not in session:
        flash("Please log in to see your list", "error")
        abort(redirect("/login"))
    return session["username"]


@app.post("/todo/<int:id>/delete")
def delete(id):
    with database() as connection:
        connection.execute(
            "DELETE FROM todos WHERE id = ? AND owner = ?",
            (id, owner()),
        )
    return redirect("/todo")
