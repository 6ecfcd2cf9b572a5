CREATE TABLE team(team_id TEXT, year INTEGER, PRIMARY KEY (team_id, year));
CREATE TABLE manager(team_id TEXT REFERENCES team(team_id), year INTEGER);
INSERT INTO team VALUES ('BOS', 1901), ('BOS', 1902);
INSERT INTO manager VALUES ('BOS', 1901);
