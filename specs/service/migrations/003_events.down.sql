DROP TABLE handled;
DROP TABLE outbox;
ALTER TABLE orders DROP COLUMN paid;
