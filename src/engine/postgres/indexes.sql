-- Every index that a lookup can use, with a row for each of its columns in order. An expression has no column.
SELECT
  i.indrelid::int8,
  c.relname::text,
  i.indisprimary,
  i.indisunique AND i.indimmediate,
  i.indpred IS NOT NULL,
  key.attnum::int8,
  l.collname::text
FROM pg_index AS i
JOIN pg_class AS c ON c.oid = i.indexrelid
JOIN pg_namespace AS n ON n.oid = c.relnamespace
JOIN pg_am AS m ON m.oid = c.relam AND m.amname IN ('btree', 'hash')
CROSS JOIN LATERAL unnest(i.indkey::int2[], i.indcollation::oid[]) WITH ORDINALITY AS key(attnum, under, ordinal)
LEFT JOIN pg_collation AS l ON l.oid = key.under
WHERE i.indisvalid AND key.ordinal <= i.indnkeyatts AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
ORDER BY i.indrelid, NOT i.indisprimary, c.relname::text COLLATE "C", i.indexrelid, key.ordinal
