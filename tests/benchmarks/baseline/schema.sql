CREATE SCHEMA baseline;
SET search_path = baseline;

CREATE TABLE inbox (
    consumer   text NOT NULL,
    message_id text NOT NULL,
    seen_at    timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (consumer, message_id)
);

CREATE TABLE outbox (
    id      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    topic   text  NOT NULL,
    key     text  NOT NULL,
    headers jsonb NOT NULL,
    value   text  NOT NULL
);

CREATE TABLE purchases (
    id               uuid PRIMARY KEY,
    purchase_id      text NOT NULL,
    account_id       text NOT NULL,
    brand            text NOT NULL,
    certificate_type text NOT NULL,
    names            jsonb NOT NULL,
    quantity         integer NOT NULL,
    created          integer NOT NULL DEFAULT 0,
    term_years       integer NOT NULL
);
CREATE INDEX purchases_by_account ON purchases (account_id);

CREATE TABLE instances (
    id               uuid PRIMARY KEY,
    account_id       text NOT NULL,
    name             text NOT NULL,
    brand            text NOT NULL,
    certificate_type text NOT NULL,
    names            jsonb NOT NULL,
    term_years       integer NOT NULL,
    purchase_id      text,
    stage            text NOT NULL DEFAULT 'pending_application',
    holder           uuid,
    result           uuid
);
CREATE INDEX instances_by_account ON instances (account_id);

CREATE TABLE combinations (
    id                  uuid PRIMARY KEY,
    account_id          text NOT NULL,
    member_instance_ids uuid[] NOT NULL,
    asked_by            text NOT NULL,
    asked_at            timestamptz NOT NULL,
    status              text NOT NULL DEFAULT 'requested',
    instance_id         uuid
);
CREATE INDEX combinations_by_account ON combinations (account_id);

CREATE TABLE applications (
    id              uuid PRIMARY KEY,
    account_id      text NOT NULL,
    instance_id     uuid NOT NULL,
    form            jsonb NOT NULL,
    stage           text NOT NULL DEFAULT 'requested',
    waiting_on      jsonb,
    names           jsonb,
    instance_status text
);
CREATE INDEX applications_by_account ON applications (account_id);

CREATE TABLE certificates (
    id             uuid PRIMARY KEY,
    application_id uuid NOT NULL,
    account_id     text NOT NULL,
    content        jsonb NOT NULL
);

CREATE TABLE verifications (
    id            uuid PRIMARY KEY,  -- of the application
    account_id    text NOT NULL,
    submitted     jsonb NOT NULL,
    since         timestamptz NOT NULL,
    expected_by   timestamptz NOT NULL,
    stage         text NOT NULL DEFAULT 'verifying',
    serial_number text UNIQUE
);
CREATE TABLE verification_names (
    application_id uuid NOT NULL,
    name           text NOT NULL,
    record_value   text NOT NULL,
    valid          boolean NOT NULL DEFAULT false,
    PRIMARY KEY (application_id, name)
);
CREATE TABLE verification_tasks (
    id             uuid PRIMARY KEY,
    application_id uuid NOT NULL,
    item           text NOT NULL,
    confirmed_by   text,
    confirmed_at   timestamptz
);
CREATE INDEX tasks_by_application ON verification_tasks (application_id);
