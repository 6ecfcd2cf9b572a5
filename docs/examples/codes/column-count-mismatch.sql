CREATE TABLE lines(order_id INTEGER, number INTEGER, PRIMARY KEY (order_id, number));
CREATE TABLE returns(order_id INTEGER, number INTEGER, line INTEGER REFERENCES lines);
INSERT INTO lines VALUES (1, 1), (1, 2);
INSERT INTO returns VALUES (1, 2, 2);
