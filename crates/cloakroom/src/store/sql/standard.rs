//! What SQLite and PostgreSQL say alike.

pub(super) const LOAD: &str = "SELECT session_id, data, expiry FROM {table}
    WHERE session_id IN (:key, :gone) AND expiry > :now";

pub(super) const REPLACE: &str = "UPDATE {table} SET data = :value, expiry = :expiry
    WHERE session_id = :key AND data = :base AND expiry > :now
    AND NOT EXISTS (SELECT 1 FROM {table} WHERE session_id = :gone AND expiry > :now)";

pub(super) const TOUCH: &str = "UPDATE {table} SET expiry = :expiry
    WHERE session_id = :key AND expiry > :now
    AND NOT EXISTS (SELECT 1 FROM {table} WHERE session_id = :gone AND expiry > :now)";

pub(super) const ENTOMB: &str =
    "UPDATE {table} SET session_id = :gone, data = :value, expiry = :expiry
    WHERE session_id = :key
    AND NOT EXISTS (SELECT 1 FROM {table} WHERE session_id = :gone)";

pub(super) const ENTOMB_EXPECTED: &str =
    "UPDATE {table} SET session_id = :gone, data = :value, expiry = :expiry
    WHERE session_id = :key AND data = :base AND expiry > :now
    AND NOT EXISTS (SELECT 1 FROM {table} WHERE session_id = :gone)";

pub(super) const DELETE: &str = "DELETE FROM {table} WHERE session_id = :key";

pub(super) const DELETE_EXPECTED: &str = "DELETE FROM {table} WHERE session_id = :key
    AND data = :base AND expiry > :now
    AND NOT EXISTS (SELECT 1 FROM {table} WHERE session_id = :gone AND expiry > :now)";
