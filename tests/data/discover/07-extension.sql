-- A table that extends another has the same keys. The extension refers to the base, not the other way round.
CREATE TABLE users(id INTEGER PRIMARY KEY, email TEXT);
WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 30) INSERT INTO users SELECT n + 500, 'user' || n || '@example.org' FROM n;
CREATE TABLE user_profiles(user_id INTEGER PRIMARY KEY, picture TEXT);
WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 30) INSERT INTO user_profiles SELECT n + 500, 'picture ' || n FROM n;
