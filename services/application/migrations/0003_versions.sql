-- What is changed by hand is another version, too.
CREATE TRIGGER changed_by_hand BEFORE UPDATE ON applications FOR EACH ROW
    WHEN (NEW.version = OLD.version) EXECUTE FUNCTION next_version();
CREATE TRIGGER changed_by_hand BEFORE UPDATE ON keys FOR EACH ROW
    WHEN (NEW.version = OLD.version) EXECUTE FUNCTION next_version();
CREATE TRIGGER changed_by_hand BEFORE UPDATE ON certificates FOR EACH ROW
    WHEN (NEW.version = OLD.version) EXECUTE FUNCTION next_version();
