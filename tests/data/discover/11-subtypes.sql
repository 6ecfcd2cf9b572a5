-- Subtypes share the key of their supertype, in a chain.
CREATE TABLE business_entity(business_entity_id INTEGER PRIMARY KEY, modified TEXT);
WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 60) INSERT INTO business_entity SELECT n, '2024' FROM n;
CREATE TABLE person(business_entity_id INTEGER PRIMARY KEY, first_name TEXT);
WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 40) INSERT INTO person SELECT n, 'name ' || n FROM n;
CREATE TABLE employee(business_entity_id INTEGER PRIMARY KEY, job TEXT);
WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 20) INSERT INTO employee SELECT n * 2, 'job ' || n FROM n;
CREATE TABLE salary_history(business_entity_id INTEGER, since TEXT, rate REAL, PRIMARY KEY (business_entity_id, since));
WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 40) INSERT INTO salary_history SELECT (n % 20 + 1) * 2, 2000 + n, n * 1.5 FROM n;
