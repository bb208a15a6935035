CREATE TABLE accounts (
    id          uuid PRIMARY KEY,  -- UUIDv5 of account_id
    account_id  text    NOT NULL,
    auto_create boolean NOT NULL,
    version     integer NOT NULL
);

CREATE TABLE purchases (
    id          uuid PRIMARY KEY,  -- UUIDv5 of (source, purchase_id)
    source      text    NOT NULL,
    purchase_id text    NOT NULL,
    account_id  text    NOT NULL,
    content     jsonb   NOT NULL,
    created     integer NOT NULL,
    refunded    integer NOT NULL,
    quantity    integer NOT NULL,
    version     integer NOT NULL,
    CONSTRAINT no_more_instances_than_bought
        CHECK (created >= 0 AND refunded >= 0 AND created + refunded <= quantity)
);
CREATE INDEX purchases_by_account ON purchases (account_id, purchase_id);

CREATE TABLE instances (
    id               uuid PRIMARY KEY,
    account_id       text        NOT NULL,
    name             text        NOT NULL,
    brand            text        NOT NULL,
    certificate_type text        NOT NULL,
    single_names     integer     NOT NULL,
    wildcard_names   integer     NOT NULL,
    ip_names         integer     NOT NULL,
    term_years       integer     NOT NULL,
    created_at       timestamptz NOT NULL,
    purchase_id      text,
    paid_at          timestamptz,
    price_amount     numeric,
    price_currency   text,
    member_ids       text        NOT NULL,  -- of a combined one: UUIDs with spaces between them
    lot_id           uuid,       -- names those that one request has made
    hosted           boolean     NOT NULL,
    remark           text        NOT NULL,
    tags             jsonb       NOT NULL,
    stage            text        NOT NULL,
    holder           uuid,       -- the combination or application that has it, or had it last
    result           uuid,       -- what came of it: the combined instance, the certificate
    not_before       timestamptz,
    not_after        timestamptz,
    refunded_at      timestamptz,
    former           uuid,       -- the application that was withdrawn last
    version          integer     NOT NULL,
    CONSTRAINT only_what_is_free_has_no_holder
        CHECK ((stage IN ('pending_application', 'refunded')) = (holder IS NULL)),
    CONSTRAINT combined_or_issued_into_something
        CHECK (stage NOT IN ('combined', 'issued', 'revoked') OR result IS NOT NULL)
) WITH (fillfactor = 80);
CREATE INDEX instances_by_account ON instances (account_id, id);
CREATE INDEX instances_by_lot ON instances (lot_id) WHERE lot_id IS NOT NULL;

-- What happened to an instance: who set it off, and by which event it was told.
CREATE TABLE history (
    instance_id uuid        NOT NULL,
    event_id    uuid        NOT NULL,
    at          timestamptz NOT NULL,
    who         text        NOT NULL,
    what        text        NOT NULL,
    PRIMARY KEY (instance_id, event_id)
);
