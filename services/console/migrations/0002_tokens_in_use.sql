-- A token that has ended may be another person's from now on: who is renamed in the file of people
-- keeps the token. Judged after each statement, so that two people may swap theirs.
ALTER TABLE tokens
    DROP CONSTRAINT one_person_per_token,
    ADD CONSTRAINT one_person_per_token
        EXCLUDE (sha256 WITH =) WHERE (revoked_at IS NULL) DEFERRABLE INITIALLY IMMEDIATE;
