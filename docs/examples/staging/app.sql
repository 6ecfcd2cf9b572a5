-- A table of staged rows, as an import leaves them before they are moved.
CREATE TABLE customers (id INTEGER PRIMARY KEY, name TEXT NOT NULL);
CREATE TABLE orders (id INTEGER PRIMARY KEY, customer_id INTEGER NOT NULL REFERENCES customers(id), total INTEGER NOT NULL);
CREATE TABLE incoming_orders (id INTEGER, customer_id INTEGER, total INTEGER, imported_at TEXT);
INSERT INTO customers VALUES (1, 'Ada'), (2, 'Ben');
INSERT INTO orders VALUES (1, 1, 20);
INSERT INTO incoming_orders VALUES (2, 1, 35, '2026-11-29'), (3, 77, 12, '2026-11-29');
