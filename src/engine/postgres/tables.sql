-- Every table, view and foreign table outside the server's own schemas. A partition is part of its root, unless it has
-- a foreign key of its own or is the parent of one.
SELECT c.oid::int8, n.nspname::text, c.relname::text, c.relkind::text
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
