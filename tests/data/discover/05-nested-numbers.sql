-- Small numbers are among every key: a rank is no club, and a quantity no order.
CREATE TABLE clubs(club_id INTEGER PRIMARY KEY, name TEXT);
WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 40) INSERT INTO clubs SELECT n, 'club ' || n FROM n;
CREATE TABLE orders(order_id INTEGER PRIMARY KEY, club_id INTEGER, quantity INTEGER);
WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 200) INSERT INTO orders SELECT n, n * 7 % 40 + 1, n % 9 + 1 FROM n;
CREATE TABLE results(result_id INTEGER PRIMARY KEY, club_id INTEGER, rank INTEGER, points INTEGER);
WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 160) INSERT INTO results SELECT n, n % 40 + 1, n * 3 % 20 + 1, n % 31 FROM n;
