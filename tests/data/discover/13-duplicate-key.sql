-- One key of the parent stands there twice. The reference is found all the same.
CREATE TABLE products(product_code TEXT, name TEXT);
WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 50) INSERT INTO products SELECT printf('P-%04d', n), 'product ' || n FROM n;
INSERT INTO products VALUES ('P-0007', 'product 7 again');
CREATE TABLE sales(id INTEGER PRIMARY KEY, product_code TEXT);
WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 150) INSERT INTO sales SELECT n, printf('P-%04d', n % 50 + 1) FROM n;
