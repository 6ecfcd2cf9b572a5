-- The example of the book: a small shop whose parents were deleted while no foreign key was enforced.
CREATE TABLE customers (
    id INTEGER PRIMARY KEY,
    email TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL
);
CREATE TABLE moved_customers (old_id INTEGER PRIMARY KEY, new_id INTEGER NOT NULL REFERENCES customers(id));
CREATE TABLE products (sku TEXT PRIMARY KEY, title TEXT NOT NULL);
CREATE TABLE orders (
    id INTEGER PRIMARY KEY,
    customer_id INTEGER NOT NULL REFERENCES customers(id),
    total INTEGER NOT NULL
);
CREATE TABLE order_items (
    id INTEGER PRIMARY KEY,
    order_id INTEGER NOT NULL REFERENCES orders(id),
    sku TEXT NOT NULL REFERENCES products(sku)
);
CREATE TABLE reviews (
    id INTEGER PRIMARY KEY,
    customer_id INTEGER REFERENCES customers(id),
    sku TEXT NOT NULL REFERENCES products(sku),
    stars INTEGER NOT NULL CHECK (stars BETWEEN 1 AND 5)
);
CREATE INDEX orders_customer ON orders(customer_id);
CREATE INDEX items_order ON order_items(order_id);
CREATE INDEX items_sku ON order_items(sku);
CREATE INDEX reviews_customer ON reviews(customer_id);
CREATE INDEX reviews_sku ON reviews(sku);

INSERT INTO customers VALUES
    (1, 'ada@example.com', 'Ada'), (2, 'ben@example.com', 'Ben'), (3, 'cleo@example.com', 'Cleo'),
    (12, 'dora@example.com', 'Dora');
INSERT INTO moved_customers VALUES (7, 2);
INSERT INTO products VALUES ('TEA-1', 'Green tea'), ('MUG-1', 'Mug'), ('POT-1', 'Tea pot');
-- Customer 7 was merged into customer 2, and customer 9 was deleted.
INSERT INTO orders VALUES (1, 1, 20), (2, 1, 35), (3, 7, 12), (4, 7, 18), (5, 9, 50), (6, 3, 8);
-- Two product codes were typed with a blank or in lower case.
INSERT INTO order_items VALUES
    (1, 1, 'TEA-1'), (2, 2, 'MUG-1'), (3, 3, 'mug-1'), (4, 4, 'TEA-1 '), (5, 5, 'POT-1'), (6, 6, 'POT-1'), (7, 5, 'TEA-1');
INSERT INTO reviews VALUES (1, 1, 'TEA-1', 5), (2, 9, 'MUG-1', 4), (3, NULL, 'POT-1', 3);
