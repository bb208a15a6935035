-- Keys that applicants have made: here to be locked, each for one instance. What they were used
-- for stands in applications.
CREATE TABLE used_keys (
    id          uuid PRIMARY KEY,  -- the first half of the fingerprint
    spki_sha256 text    NOT NULL,
    version     integer NOT NULL
);
INSERT INTO used_keys
SELECT DISTINCT left(spki_sha256, 32)::uuid, spki_sha256, 1
  FROM applications WHERE spki_sha256 IS NOT NULL;
