CREATE TABLE applications (
    id                    uuid PRIMARY KEY,
    account_id            text    NOT NULL,
    instance_id           uuid    NOT NULL,
    form                  jsonb   NOT NULL,
    spki_sha256           text,    -- of the key in a pasted request, hex
    stage                 text    NOT NULL,
    details               jsonb   NOT NULL,
    instance_status       text,
    withdrawal_objections jsonb   NOT NULL,
    drop_objections       jsonb   NOT NULL,
    version               integer NOT NULL
) WITH (fillfactor = 70);
CREATE INDEX applications_by_account ON applications (account_id, id);
CREATE INDEX applications_by_key ON applications (spki_sha256) WHERE spki_sha256 IS NOT NULL;

-- Private keys, AES-256-GCM: the nonce, then the sealed PKCS#8. They go nowhere but to downloads.
CREATE TABLE keys (
    id        uuid PRIMARY KEY,  -- of the application
    encrypted bytea   NOT NULL,
    version   integer NOT NULL
);

CREATE TABLE certificates (
    id            uuid PRIMARY KEY,
    account_id    text    NOT NULL,
    serial_number text    NOT NULL,
    content       jsonb   NOT NULL,
    version       integer NOT NULL
) WITH (fillfactor = 80);
CREATE INDEX certificates_by_account ON certificates (account_id, id);
