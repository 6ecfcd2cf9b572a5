-- No table has a row, but a trigger compares the columns.
CREATE TABLE books(id INTEGER PRIMARY KEY, title TEXT);
CREATE TABLE books_authors_link(id INTEGER PRIMARY KEY, book INTEGER NOT NULL, author INTEGER NOT NULL);
CREATE TABLE authors(id INTEGER PRIMARY KEY, name TEXT);
CREATE TRIGGER fkc_insert BEFORE INSERT ON books_authors_link BEGIN
  SELECT CASE
    WHEN (SELECT id FROM books WHERE id = NEW.book) IS NULL THEN RAISE(ABORT, 'no such book')
    WHEN (SELECT id FROM authors WHERE id = NEW.author) IS NULL THEN RAISE(ABORT, 'no such author')
  END;
END;
