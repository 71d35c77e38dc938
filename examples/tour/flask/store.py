app = Flask(__name__)

# In the cookie: nothing to install,
# and nothing to look up.
app.secret_key = os.environ["SECRET_KEY"]

# In a store: the cookie holds an id.
app.config.update(
    SESSION_TYPE="redis",
    SESSION_REDIS=Redis.from_url("redis://127.0.0.1"),
)
Session(app)  # Flask-Session
