-- A table and its archive have the same columns. Children refer to the living table.
CREATE TABLE accounts(id INTEGER PRIMARY KEY, name TEXT);
WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 40) INSERT INTO accounts SELECT n * 11, 'account ' || n FROM n;
CREATE TABLE accounts_archive(id INTEGER PRIMARY KEY, name TEXT);
INSERT INTO accounts_archive SELECT * FROM accounts;
CREATE TABLE payments(id INTEGER PRIMARY KEY, account_id INTEGER);
WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 120) INSERT INTO payments SELECT n + 7000, (n % 40 + 1) * 11 FROM n;
