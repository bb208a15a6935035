-- Applications whose wish for the instance was granted or refused: UUIDs with spaces between them.
ALTER TABLE instances ADD COLUMN decided text NOT NULL DEFAULT '';

-- Until now only the last one was known. `former` stays for a running service that reads it.
UPDATE instances SET decided = CASE
    WHEN stage = 'pending_application' THEN former::text
    WHEN stage = 'reserved' THEN coalesce(result, former)::text
    ELSE holder::text END
 WHERE stage IN ('pending_validation', 'under_review', 'validation_failed', 'issued', 'revoked')
    OR stage = 'pending_application' AND former IS NOT NULL
    OR stage = 'reserved' AND coalesce(result, former) IS NOT NULL;
