SELECT name FROM pet

SELECT * FROM pet

select count(*) from visit

SELECT DISTINCT species FROM pet ORDER BY species

SELECT name, weight FROM pet WHERE weight > 10 AND species = 'dog'

SELECT T1.name, T2.full_name FROM pet AS T1 JOIN owner AS T2 ON T1.owner_id = T2.owner_id

SELECT p.name FROM pet p, owner o WHERE p.owner_id = o.owner_id AND o.city = 'Oslo'

SELECT species, COUNT(*) AS how_many FROM pet GROUP BY species HAVING how_many > 1 ORDER BY how_many DESC

SELECT full_name FROM owner WHERE owner_id NOT IN (SELECT owner_id FROM pet)

SELECT full_name FROM owner WHERE NOT EXISTS (SELECT 1 FROM pet WHERE pet.owner_id = owner.owner_id)

SELECT full_name FROM owner UNION SELECT full_name FROM vet

SELECT full_name AS who FROM owner UNION ALL SELECT full_name FROM vet ORDER BY who LIMIT 3

SELECT owner_id FROM owner EXCEPT SELECT owner_id FROM pet

SELECT owner_id FROM owner INTERSECT SELECT owner_id FROM pet

WITH heavy AS (SELECT pet_id, weight FROM pet WHERE weight > 10) SELECT COUNT(*) FROM heavy

WITH fees(pet, total) AS (SELECT pet_id, SUM(fee) FROM visit GROUP BY pet_id) SELECT name, total FROM fees JOIN pet ON pet.pet_id = fees.pet

WITH RECURSIVE chain(id, depth) AS (SELECT vet_id, 0 FROM vet WHERE boss_id IS NULL UNION ALL SELECT vet.vet_id, depth + 1 FROM vet JOIN chain ON vet.boss_id = chain.id) SELECT MAX(depth) FROM chain

WITH a AS (SELECT pet_id FROM visit), b AS (SELECT pet_id FROM a) SELECT name FROM pet WHERE pet_id IN (SELECT pet_id FROM b)

SELECT t.species, t.n FROM (SELECT species, COUNT(*) AS n FROM pet GROUP BY species) AS t WHERE t.n >= 1

SELECT n FROM (SELECT species, COUNT(*) AS n FROM pet GROUP BY species) ORDER BY n

SELECT name FROM pet WHERE weight = (SELECT MAX(weight) FROM pet)

SELECT p.name FROM pet AS p WHERE p.weight > (SELECT AVG(q.weight) FROM pet AS q WHERE q.species = p.species)

SELECT "Trade Name" FROM drug WHERE price < 10

SELECT d."Trade Name", vd.dose FROM drug AS d JOIN visit_drug AS vd USING (drug_id)

SELECT [Trade Name] FROM drug

SELECT `Trade Name` FROM drug ORDER BY `price` DESC LIMIT 1

SELECT "group by" FROM "order"

SELECT o."group by", d.price FROM "order" AS o LEFT JOIN drug AS d ON o.drug_id = d.drug_id

SELECT name FROM pet WHERE species = "dog"

SELECT name FROM pet WHERE name LIKE '%;%' OR name = 'it''s'

SELECT "Trade Name" FROM drug WHERE "Trade Name" = 'Nopain; forte'

SELECT name FROM dog

SELECT dog.name, visit.day FROM dog JOIN visit ON dog.pet_id = visit.pet_id

SELECT CASE WHEN weight > 20 THEN 'big' WHEN weight > 5 THEN 'mid' ELSE 'small' END AS size, COUNT(*) FROM pet GROUP BY size

SELECT IIF(weight > 20, 'big', 'small') FROM pet

SELECT CAST(weight AS INTEGER) FROM pet

SELECT strftime('%Y', born) AS year FROM pet WHERE born IS NOT NULL

SELECT name FROM pet WHERE born BETWEEN '2019-01-01' AND '2020-12-31'

SELECT name FROM pet ORDER BY born DESC, name LIMIT 2 OFFSET 1

SELECT COUNT(DISTINCT owner_id), AVG(weight) FROM pet

SELECT species, GROUP_CONCAT(name, ', ') FROM pet GROUP BY species

SELECT name, RANK() OVER (PARTITION BY species ORDER BY weight DESC) AS place FROM pet

SELECT name, place FROM (SELECT name, ROW_NUMBER() OVER (ORDER BY weight) AS place FROM pet) WHERE place = 1

SELECT SUM(fee) FILTER (WHERE day > '2023-01-15') FROM visit

SELECT e.full_name, b.full_name FROM vet AS e LEFT JOIN vet AS b ON e.boss_id = b.vet_id

SELECT v.full_name FROM vet v JOIN visit ON v.vet_id = visit.vet_id JOIN pet ON visit.pet_id = pet.pet_id JOIN owner ON pet.owner_id = owner.owner_id WHERE owner.full_name = 'Ida Berg'

SELECT pet.* FROM pet JOIN owner ON pet.owner_id = owner.owner_id

SELECT Name FROM PET WHERE SPECIES = 'cat'

SELECT main.pet.name FROM main.pet

SELECT name FROM pet NATURAL JOIN owner

SELECT rowid, name FROM pet

SELECT name -- the pet's name; nothing else
FROM pet /* not; the owner */ WHERE weight > 3

SELECT fee * 1.25 AS gross FROM visit WHERE gross > 50

SELECT (SELECT COUNT(*) FROM visit WHERE visit.pet_id = pet.pet_id) AS visits, name FROM pet ORDER BY visits

SELECT full_name FROM owner WHERE owner_id IN (SELECT owner_id FROM pet WHERE pet_id IN (SELECT pet_id FROM visit WHERE fee > 50))

SELECT 1

SELECT COALESCE(city, 'unknown') || '!' FROM owner

VALUES (1, 'a'), (2, 'b')

SELECT a.name, b.name FROM pet AS a JOIN pet AS b ON a.species = b.species AND a.pet_id < b.pet_id

SELECT value FROM json_each('[1, 2, 3]')

SELECT species FROM pet GROUP BY species HAVING COUNT(*) = (SELECT MAX(n) FROM (SELECT COUNT(*) AS n FROM pet GROUP BY species))

SELECT x.day FROM visit AS x CROSS JOIN vet WHERE x.vet_id = vet.vet_id AND NOT x.fee IS NULL
