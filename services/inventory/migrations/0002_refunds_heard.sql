-- Which refunds of the shop's own are counted in `refunded`: UUIDs with spaces between them.
ALTER TABLE purchases ADD COLUMN heard text NOT NULL DEFAULT '';
