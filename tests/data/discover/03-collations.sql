-- The collation of the parent decides which texts are equal.
CREATE TABLE airports(code TEXT COLLATE NOCASE PRIMARY KEY);
INSERT INTO airports VALUES ('FRA'), ('MUC'), ('TXL'), ('HAM'), ('CGN');
CREATE TABLE flights(id INTEGER PRIMARY KEY, airport_code TEXT);
INSERT INTO flights VALUES (11, 'fra'), (12, 'Muc'), (13, 'TXL'), (14, 'ham'), (15, 'cgn'), (16, 'FRA');
CREATE TABLE brands(name TEXT COLLATE RTRIM PRIMARY KEY);
INSERT INTO brands VALUES ('acme'), ('bolt'), ('crest'), ('dynamo');
CREATE TABLE cars(id INTEGER PRIMARY KEY, brand_name TEXT);
INSERT INTO cars VALUES (21, 'acme  '), (22, 'bolt'), (23, 'crest '), (24, 'dynamo'), (25, 'acme');
