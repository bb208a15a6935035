CREATE TABLE combinations (
    id                  uuid PRIMARY KEY,
    account_id          text    NOT NULL,
    member_instance_ids text    NOT NULL,  -- UUIDs with spaces between them
    refund_waiver       jsonb,             -- who agreed, when, to which text
    status              text    NOT NULL,
    outcome             jsonb   NOT NULL,  -- by status: nothing, the new instance, the objections
    version             integer NOT NULL,
    CONSTRAINT nothing_is_combined_without_a_waiver
        CHECK (status IN ('requested', 'refused') OR refund_waiver IS NOT NULL)
) WITH (fillfactor = 80);
