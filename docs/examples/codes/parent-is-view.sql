CREATE TABLE users(id INTEGER PRIMARY KEY, active INTEGER);
CREATE VIEW active_users AS SELECT id FROM users WHERE active;
CREATE TABLE posts(author_id INTEGER REFERENCES active_users(id));
INSERT INTO users VALUES (1, 1);
INSERT INTO posts VALUES (1);
