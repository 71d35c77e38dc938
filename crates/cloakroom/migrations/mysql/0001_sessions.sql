-- Flask-Session's table, if it is missing, and an index for removing what has expired.
--
-- Two things are wider than in the table that Flask-Session makes: `data` is not limited to 64 KiB, and ids that differ
-- only in case or in trailing spaces are different. MySQL and MariaDB have different names for that collation.
CREATE TABLE IF NOT EXISTS `sessions` (
    id INTEGER NOT NULL AUTO_INCREMENT,
    session_id VARCHAR(255) CHARACTER SET utf8mb4 /*!80017 COLLATE utf8mb4_0900_bin */ /*M!100202 COLLATE utf8mb4_nopad_bin */,
    data LONGBLOB,
    expiry DATETIME,
    PRIMARY KEY (id),
    UNIQUE (session_id)
) ENGINE = InnoDB;
-- An index of that name that is there already (error 1061) is as good.
CREATE INDEX `sessions_expiry` ON `sessions` (expiry);
