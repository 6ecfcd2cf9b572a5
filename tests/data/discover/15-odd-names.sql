-- Names with quotes, line ends, dots and the signs of a pair's own notation are names like any other.
CREATE TABLE "the ""big"" [*] customers"("customer""id" INTEGER PRIMARY KEY, name TEXT);
INSERT INTO "the ""big"" [*] customers" VALUES (101, 'a'), (102, 'b'), (103, 'c'), (104, 'd'), (105, 'e'), (106, 'f');
CREATE TABLE "orders?
of today"("order.id" INTEGER PRIMARY KEY, "customer""id" INTEGER, "it's -> (a, b)" TEXT);
INSERT INTO "orders?
of today" VALUES (11, 101, 'x'), (12, 102, 'x'), (13, 103, 'y'), (14, 104, 'y'), (15, 105, 'z'), (16, 106, 'z'), (17, 999, 'z');
CREATE TABLE [select]("from" INTEGER PRIMARY KEY, "`order.id`" INTEGER);
INSERT INTO [select] VALUES (1, 11), (2, 12), (3, 13), (4, 14), (5, 15), (6, 16), (7, 17);
