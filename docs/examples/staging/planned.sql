-- The schema after the next migration: it declares one foreign key more.
CREATE TABLE customers (id INTEGER PRIMARY KEY, name TEXT NOT NULL);
CREATE TABLE orders (id INTEGER PRIMARY KEY, customer_id INTEGER NOT NULL REFERENCES customers(id), total INTEGER NOT NULL);
CREATE TABLE incoming_orders (id INTEGER, customer_id INTEGER REFERENCES customers(id), total INTEGER, imported_at TEXT);
