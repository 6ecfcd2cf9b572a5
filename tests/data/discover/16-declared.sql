-- The engine knows the reference, so the rows decide nothing.
CREATE TABLE owners(id INTEGER PRIMARY KEY);
INSERT INTO owners VALUES (1), (2), (3);
CREATE TABLE pets(id INTEGER PRIMARY KEY, owner_id INTEGER REFERENCES owners(id));
INSERT INTO pets VALUES (11, 91), (12, 92), (13, 93), (14, 94);
