-- What is changed by hand is another version, too.
CREATE TRIGGER changed_by_hand BEFORE UPDATE ON accounts FOR EACH ROW
    WHEN (NEW.version = OLD.version) EXECUTE FUNCTION next_version();
CREATE TRIGGER changed_by_hand BEFORE UPDATE ON purchases FOR EACH ROW
    WHEN (NEW.version = OLD.version) EXECUTE FUNCTION next_version();
CREATE TRIGGER changed_by_hand BEFORE UPDATE ON instances FOR EACH ROW
    WHEN (NEW.version = OLD.version) EXECUTE FUNCTION next_version();
