-- Who may come in. A token is a person's key: random, shown once, kept as its SHA-256.
CREATE TABLE tokens (
    id         uuid PRIMARY KEY,
    name       text        NOT NULL,  -- the person's
    role       text        NOT NULL,
    account_id text,
    sha256     bytea       NOT NULL,
    issued_by  text        NOT NULL,
    issued_at  timestamptz NOT NULL,
    is_listed  boolean     NOT NULL,  -- comes from the file of people
    revoked_at timestamptz,
    revoked_by text,
    version    integer     NOT NULL,
    CONSTRAINT one_person_per_token UNIQUE (sha256),
    CONSTRAINT revoked_by_somebody CHECK ((revoked_at IS NULL) = (revoked_by IS NULL)),
    CONSTRAINT applicants_have_an_account CHECK (role <> 'applicant' OR account_id IS NOT NULL)
);
