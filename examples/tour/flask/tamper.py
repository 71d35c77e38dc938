@app.get("/tamper")
def tamper():
    # Flask does not say why a session came out empty:
    # open the cookie once more with its serializer.
    opener = app.session_interface
    cookie = request.cookies.get("session", "")
    signer = opener.get_signing_serializer(app)
    try:
        signer.loads(cookie, max_age=WEEK)
        reason = None
    except BadData as error:
        reason = type(error).__name__
    return render_template("tamper.html", reason=reason)
