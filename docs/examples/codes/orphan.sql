CREATE TABLE parents(code TEXT PRIMARY KEY);
CREATE TABLE children(id INTEGER PRIMARY KEY, parent TEXT REFERENCES parents(code));
INSERT INTO parents VALUES ('a'), ('b');
INSERT INTO children VALUES (1, 'a'), (2, 'b ');
