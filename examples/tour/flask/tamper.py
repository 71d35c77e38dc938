@app.get("/tamper")
def tamper():
    # Flask opens a ticket it refuses as an empty session
    # and does not say why; ask its serializer once more.
    signer = app.session_interface.get_signing_serializer(app)
    try:
        signer.loads(request.cookies.get("session", ""), max_age=WEEK)
        reason = None
    except BadData as error:
        reason = type(error).__name__
    return render_template("tamper.html", reason=reason)
