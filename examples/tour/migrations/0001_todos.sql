-- One row for each task; `owner` is the name in the session of who wrote it.
CREATE TABLE todos (
    id    INTEGER PRIMARY KEY,
    owner TEXT    NOT NULL,
    title TEXT    NOT NULL,
    done  INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE INDEX todos_by_owner ON todos (owner, id);
