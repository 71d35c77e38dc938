-- Flask-Session's table, if it is missing, and an index for removing what has expired.
CREATE TABLE IF NOT EXISTS "sessions" (
    id INTEGER NOT NULL,
    session_id VARCHAR(255),
    data BLOB,
    expiry DATETIME,
    PRIMARY KEY (id),
    UNIQUE (session_id)
);
CREATE INDEX IF NOT EXISTS "sessions_expiry" ON "sessions" (expiry);
