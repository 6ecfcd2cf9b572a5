-- Every table, view and foreign table outside the server's own schemas. A partition is part of its root, unless it has
-- a foreign key of its own or is the parent of one.
-- The last value is true if a CHECK or exclusion constraint or a domain may refuse a row.
SELECT
  c.oid::int8, n.nspname::text, c.relname::text, c.relkind::text,
  c.relkind <> 'r'
    OR EXISTS (SELECT FROM pg_constraint AS k WHERE k.conrelid = c.oid AND k.contype IN ('c', 'x'))
    OR EXISTS (
      SELECT FROM pg_attribute AS a JOIN pg_type AS t ON t.oid = a.atttypid
      WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND t.typtype = 'd'
    )
FROM pg_class AS c
JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f')
  AND c.relpersistence <> 't'
  AND n.nspname <> 'information_schema'
  AND n.nspname !~ '^pg_'
  AND (
    NOT c.relispartition
    OR EXISTS (
      SELECT FROM pg_constraint AS k
      WHERE k.contype = 'f' AND k.conparentid = 0 AND c.oid IN (k.conrelid, k.confrelid)
    )
  )
ORDER BY n.nspname <> 'public', n.nspname::text COLLATE "C", c.relname::text COLLATE "C"
