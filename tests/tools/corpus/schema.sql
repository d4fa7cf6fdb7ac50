-- A vet's practice: the ground of queries.sql. Mixed case, spaces, a keyword as a name, a link table, a view.
CREATE TABLE owner (owner_id INTEGER PRIMARY KEY, full_name TEXT NOT NULL, City TEXT, joined_on TEXT);
CREATE TABLE pet (pet_id INTEGER PRIMARY KEY, name TEXT, species TEXT, born TEXT, weight REAL, owner_id INTEGER REFERENCES owner);
CREATE TABLE vet (vet_id INTEGER PRIMARY KEY, full_name TEXT, boss_id INTEGER REFERENCES vet, salary REAL);
CREATE TABLE visit (visit_id INTEGER PRIMARY KEY, pet_id INTEGER REFERENCES pet, vet_id INTEGER REFERENCES vet, day TEXT, fee REAL);
CREATE TABLE drug (drug_id INTEGER PRIMARY KEY, "Trade Name" TEXT, price REAL);
CREATE TABLE visit_drug (visit_id INTEGER, drug_id INTEGER, dose REAL, PRIMARY KEY (visit_id, drug_id));
CREATE TABLE "order" (id INTEGER PRIMARY KEY, "group by" TEXT, drug_id INTEGER, placed_on TEXT);
CREATE VIEW dog AS SELECT pet_id, name FROM pet WHERE species = 'dog';
INSERT INTO owner VALUES (1, 'Ida Berg', 'Oslo', '2020-01-02'), (2, 'Bo Lind', 'oslo', NULL), (3, 'Ana Cruz', NULL, '2022-05-06');
INSERT INTO pet VALUES (1, 'Rex', 'dog', '2019-01-01', 30.5, 1), (2, 'Tom', 'cat', NULL, 4, 1), (3, 'Ida', 'dog', '2021-07-08', 12, 2);
INSERT INTO vet VALUES (1, 'Dr. Moe', NULL, 900.0), (2, 'Dr. Kay', 1, 800.0);
INSERT INTO visit VALUES (1, 1, 1, '2023-01-01', 40), (2, 1, 2, '2023-02-01', 60), (3, 3, 2, '2023-02-03', NULL);
INSERT INTO drug VALUES (1, 'Calmex', 9.5), (2, 'Nopain; forte', 20);
INSERT INTO visit_drug VALUES (1, 1, 0.5), (2, 2, 1), (2, 1, 2);
INSERT INTO "order" VALUES (1, 'big', 1, '2023-03-03');
