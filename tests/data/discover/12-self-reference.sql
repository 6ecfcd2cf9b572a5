-- A tree in which only two rows have children.
CREATE TABLE categories(id INTEGER PRIMARY KEY, parent_id INTEGER, title TEXT);
INSERT INTO categories VALUES (71, NULL, 'all'), (72, 71, 'books'), (73, 71, 'music'), (74, 72, 'novels'), (75, 72, 'poems'), (76, 71, 'films');
