-- Without rows the names alone speak, and no pair is more than possible.
CREATE TABLE customers(id INTEGER PRIMARY KEY, name TEXT);
INSERT INTO customers VALUES (1, 'a'), (2, 'b'), (3, 'c');
CREATE TABLE orders(id INTEGER PRIMARY KEY, customer_id INTEGER, note TEXT);
CREATE TABLE invoices(id INTEGER PRIMARY KEY, customer_id INTEGER);
INSERT INTO invoices VALUES (11, NULL), (12, NULL);
CREATE TABLE regions(id INTEGER PRIMARY KEY);
CREATE TABLE shops(id INTEGER PRIMARY KEY, region_id INTEGER);
INSERT INTO shops VALUES (21, 1), (22, 2), (23, 2);
