-- The table of the entity is not there. Of the tables that share its key, none is certainly the parent.
CREATE TABLE password(business_entity_id INTEGER PRIMARY KEY, hash TEXT);
WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 200) INSERT INTO password SELECT n, printf('%08x', n * 77777) FROM n;
CREATE TABLE email_address(business_entity_id INTEGER, email_address_id INTEGER, email TEXT, PRIMARY KEY (business_entity_id, email_address_id));
WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 200) INSERT INTO email_address SELECT n, n, 'e' || n FROM n;
CREATE TABLE person_credit_card(business_entity_id INTEGER, credit_card_id INTEGER, PRIMARY KEY (business_entity_id, credit_card_id));
WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 100) INSERT INTO person_credit_card SELECT n * 2, n + 1000 FROM n;
CREATE TABLE badges(badge_no INTEGER PRIMARY KEY, supplier_id INTEGER);
WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 60) INSERT INTO badges SELECT n + 7000, n * 31 % 40 + 90000 FROM n;
