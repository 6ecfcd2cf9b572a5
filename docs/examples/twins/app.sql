-- Two customers were entered twice, and orders refer to both twins.
CREATE TABLE customers (id INTEGER PRIMARY KEY, email TEXT NOT NULL);
CREATE TABLE orders (id INTEGER PRIMARY KEY, customer_id INTEGER NOT NULL REFERENCES customers(id));
CREATE TABLE newsletter (customer_id INTEGER PRIMARY KEY REFERENCES customers(id));
CREATE INDEX orders_customer ON orders(customer_id);
INSERT INTO customers VALUES (1, 'ada@example.com'), (2, 'ben@example.com'), (3, 'Ada@example.com'), (4, 'cleo@example.com');
INSERT INTO orders VALUES (1, 1), (2, 3), (3, 3), (4, 2);
INSERT INTO newsletter VALUES (1), (3), (2);
