-- A NULL in a part of a key is no orphan, and an empty text is a value.
CREATE TABLE plans(region TEXT NOT NULL, code TEXT NOT NULL, PRIMARY KEY (region, code));
INSERT INTO plans VALUES ('', 'basic'), ('', 'gold'), ('eu', 'basic'), ('eu', 'gold'), ('us', 'basic'), ('us', 'team');
CREATE TABLE subscriptions(id INTEGER PRIMARY KEY, plan_region TEXT, plan_code TEXT);
INSERT INTO subscriptions VALUES (101, '', 'basic'), (102, '', 'gold'), (103, 'eu', 'basic'), (104, 'eu', 'gold'), (105, 'us', 'basic'),
  (106, 'us', 'team'), (107, NULL, 'basic'), (108, 'eu', NULL), (109, NULL, NULL), (110, NULL, 'no such plan'), (111, '', 'basic'), (112, 'us', 'team');
