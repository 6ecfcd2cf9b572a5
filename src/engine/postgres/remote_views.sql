-- Every view that reads a foreign table or a foreign partition, directly or through other views and partitioned tables.
-- A materialized view has rows of its own, so it is none.
WITH RECURSIVE reads(base, reader) AS (
  SELECT d.refobjid, v.oid
  FROM pg_depend AS d
  JOIN pg_rewrite AS w ON d.classid = 'pg_rewrite'::regclass AND w.oid = d.objid
  JOIN pg_class AS v ON v.oid = w.ev_class AND v.relkind = 'v'
  WHERE d.refclassid = 'pg_class'::regclass
  UNION ALL
  SELECT inhrelid, inhparent FROM pg_inherits
),
remote(oid) AS (
  SELECT oid FROM pg_class WHERE relkind = 'f'
  UNION
  SELECT reads.reader FROM remote JOIN reads ON reads.base = remote.oid
)
SELECT c.oid::int8 FROM remote JOIN pg_class AS c ON c.oid = remote.oid WHERE c.relkind = 'v'
