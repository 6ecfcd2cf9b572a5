-- Every partition of a table that is read, at any depth, with its root. The last value is true if another server has its rows.
SELECT pg_partition_root(c.oid)::oid::int8, n.nspname::text, c.relname::text, c.relkind = 'f'
FROM pg_class AS c
JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.relispartition AND c.relkind IN ('r', 'p', 'f')
ORDER BY n.nspname <> 'public', n.nspname::text COLLATE "C", c.relname::text COLLATE "C"
