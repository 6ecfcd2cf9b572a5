-- Every reference has a leading blank: no row has a parent, and the near spelling is told.
CREATE TABLE airports(airport_code TEXT PRIMARY KEY, city TEXT);
INSERT INTO airports VALUES ('ABQ', 'Albuquerque'), ('BOS', 'Boston'), ('CLE', 'Cleveland'), ('DFW', 'Dallas'), ('ELP', 'El Paso');
CREATE TABLE flights(flight_no INTEGER PRIMARY KEY, source_airport TEXT, dest_airport TEXT);
INSERT INTO flights VALUES (901, ' ABQ', ' BOS'), (902, ' BOS', ' CLE'), (903, ' CLE', ' DFW'), (904, ' DFW', ' ELP'), (905, ' ELP', ' ABQ');
