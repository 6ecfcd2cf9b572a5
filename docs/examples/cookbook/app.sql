-- The database of the cookbook: each reference is broken for a reason of its own.
CREATE TABLE authors (id INTEGER PRIMARY KEY, name TEXT NOT NULL);
CREATE TABLE categories (id INTEGER PRIMARY KEY, name TEXT NOT NULL);
CREATE TABLE posts (
    id INTEGER PRIMARY KEY,
    author_id INTEGER NOT NULL REFERENCES authors(id),
    reviewer_id INTEGER REFERENCES authors(id),
    category_id INTEGER DEFAULT 1 REFERENCES categories(id),
    title TEXT
);
CREATE TABLE comments (id INTEGER PRIMARY KEY, post_id INTEGER NOT NULL REFERENCES posts(id) ON DELETE CASCADE, body TEXT);
CREATE TABLE tags (code TEXT PRIMARY KEY);
CREATE TABLE post_tags (id INTEGER PRIMARY KEY, tag TEXT NOT NULL REFERENCES tags(code));
CREATE TABLE stores (zip TEXT PRIMARY KEY);
CREATE TABLE deliveries (id INTEGER PRIMARY KEY, zip TEXT NOT NULL REFERENCES stores(zip));
CREATE TABLE devices (uuid TEXT PRIMARY KEY);
CREATE TABLE readings (id INTEGER PRIMARY KEY, device TEXT NOT NULL REFERENCES devices(uuid));
CREATE TABLE accounts (number PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE payments (id INTEGER PRIMARY KEY, account TEXT NOT NULL REFERENCES accounts(number));
CREATE TABLE coupons (id INTEGER PRIMARY KEY, code TEXT);
CREATE TABLE carts (id INTEGER PRIMARY KEY, coupon_id INTEGER REFERENCES coupons(id));
CREATE TABLE countries (code TEXT PRIMARY KEY);
CREATE TABLE addresses (id INTEGER PRIMARY KEY, country TEXT NOT NULL REFERENCES countries(code));

INSERT INTO authors VALUES (1, 'Ada'), (2, 'Ben'), (90, 'Cleo');
INSERT INTO categories VALUES (1, 'general'), (2, 'news');
INSERT INTO posts VALUES (1, 1, 2, 1, 'a'), (2, 2, 55, 2, 'b'), (3, 50, NULL, 1, 'c'), (4, 1, NULL, 77, 'd'), (5, 90, 2, 2, 'e');
INSERT INTO comments VALUES (1, 1, 'x'), (2, 2, 'y'), (3, 40, 'z'), (4, 3, 'w');
INSERT INTO posts VALUES (60, 1, 1, 1, 'f');
INSERT INTO tags VALUES ('sql'), ('rust');
INSERT INTO post_tags VALUES (1, 'sql'), (2, 'rust'), (3, 'sql '), (4, 'Rust');
INSERT INTO stores VALUES ('02134'), ('10115');
INSERT INTO deliveries VALUES (1, '10115'), (2, '2134');
INSERT INTO devices VALUES ('6f1c8a52-9f0b-4c1e-8a37-2f6f5a0f8b11'), ('0b7d1c3e-52aa-4a53-9d6e-7c1f0a2b3c4d');
INSERT INTO readings VALUES (1, '0b7d1c3e-52aa-4a53-9d6e-7c1f0a2b3c4d'), (2, '6F1C8A529F0B4C1E8A372F6F5A0F8B11');
INSERT INTO accounts VALUES (4711), (4712), (4713);
INSERT INTO payments VALUES (1, '4711'), (2, '4712');
INSERT INTO coupons VALUES (1, 'TEN'), (2, 'TWENTY');
INSERT INTO carts VALUES (1, 1), (2, 0), (3, 0), (4, 2), (5, 0);
INSERT INTO addresses VALUES (1, 'DE'), (2, 'FR');
