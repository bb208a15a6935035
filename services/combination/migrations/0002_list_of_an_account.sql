CREATE INDEX combinations_by_account ON combinations (account_id, id);
