CREATE TABLE applications (
    id             uuid PRIMARY KEY,
    account_id     text        NOT NULL,
    submitted      jsonb       NOT NULL,  -- the event, as it was read
    names          jsonb       NOT NULL,
    tasks          jsonb       NOT NULL,
    task_ids       jsonb       NOT NULL,
    has_open_tasks boolean     NOT NULL,
    expected_by    timestamptz NOT NULL,
    told           jsonb       NOT NULL,
    overdue        boolean     NOT NULL,
    stage          text        NOT NULL,
    details        jsonb       NOT NULL,
    serial_number  text CONSTRAINT one_certificate_per_serial_number UNIQUE,
    version        integer     NOT NULL,
    CONSTRAINT serial_number_from_the_intent_on
        CHECK (stage NOT IN ('signing', 'issued', 'revoked') OR serial_number IS NOT NULL)
) WITH (fillfactor = 70);
CREATE INDEX applications_by_task ON applications USING gin (task_ids jsonb_path_ops);
CREATE INDEX applications_revoked ON applications (id) WHERE stage = 'revoked';
CREATE INDEX applications_with_open_tasks ON applications (id) WHERE has_open_tasks;
