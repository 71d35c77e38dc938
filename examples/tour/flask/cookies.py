@app.post("/cookies/set")
def set_cookie():
    name = request.form.get("name", "username")
    value = request.form.get("value", "John")
    response = redirect("/cookies")
    response.set_cookie(name, value, max_age=3600)
    return response


@app.post("/cookies/delete")
def delete_cookie():
    name = request.form.get("name", "username")
    response = redirect("/cookies")
    response.delete_cookie(name)
    return response
