-- What a transaction was decided by must hold when it is written, or nothing of it is: 40001, as
-- PostgreSQL itself says when somebody else was faster.
CREATE FUNCTION hold(holds boolean) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    IF holds THEN
        RETURN true;
    END IF;
    RAISE serialization_failure USING MESSAGE = 'overtaken by another transaction';
END
$$;

-- A service trusts what it remembers of a row for as long as its version is the same. So a row that
-- a person changes by hand gets the next one, too.
CREATE FUNCTION next_version() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.version := OLD.version + 1;
    RETURN NEW;
END
$$;
