-- The floor and the wing of a block belong to the block itself, although each of them is also a code of a medication.
CREATE TABLE medication(code INTEGER PRIMARY KEY, name TEXT);
CREATE TABLE block(block_floor INTEGER, block_wing INTEGER, plan TEXT, PRIMARY KEY (block_floor, block_wing));
INSERT INTO medication VALUES (1, 'a'), (2, 'b'), (3, 'c'), (4, 'd'), (5, 'e');
INSERT INTO block(block_floor, block_wing)
VALUES (1, 1), (1, 2), (1, 3), (2, 1), (2, 2), (2, 3), (3, 1), (3, 2), (3, 3), (4, 1), (4, 2), (4, 3);
CREATE TABLE prescription(id INTEGER PRIMARY KEY, medication_code INTEGER);
INSERT INTO prescription VALUES (101, 1), (102, 1), (103, 2), (104, 3), (105, 5), (106, 4), (107, 2);
-- A table without a word in its name gives its name to no column.
CREATE TABLE "_"(ward INTEGER, bed INTEGER, PRIMARY KEY (ward, bed));
INSERT INTO "_" VALUES (1, 21), (1, 22), (1, 23), (2, 21), (2, 22), (3, 21), (3, 24), (4, 21), (4, 22), (4, 25);
