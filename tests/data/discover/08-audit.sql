-- Who created a row is a user. When it was changed, and which version it has, is not.
CREATE TABLE users(id INTEGER PRIMARY KEY, login TEXT);
WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 25) INSERT INTO users SELECT n, 'login ' || n FROM n;
CREATE TABLE documents(id INTEGER PRIMARY KEY, created_by INTEGER, updated_by INTEGER, version INTEGER, modified_date TEXT, rowguid TEXT);
WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 80) INSERT INTO documents SELECT n + 1000, n % 25 + 1, n * 3 % 25 + 1, n % 5 + 1, date('2024-01-01', n || ' days'), printf('%032x', n * 7919) FROM n;
