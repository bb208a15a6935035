-- The purchase that an instance is of: `purchase_id` is unique within its shop only.
ALTER TABLE instances ADD COLUMN purchase uuid;

-- Where two shops' purchases of one account are alike in id and moment, nobody knows which it was:
-- a refund by the shop then needs a person.
UPDATE instances SET purchase = only_one.id
  FROM (SELECT account_id, purchase_id, (content->>'paid_at')::timestamptz AS paid_at,
               min(id::text)::uuid AS id
          FROM purchases GROUP BY 1, 2, 3 HAVING count(*) = 1) AS only_one
 WHERE instances.account_id = only_one.account_id
   AND instances.purchase_id = only_one.purchase_id
   AND instances.paid_at = only_one.paid_at;
