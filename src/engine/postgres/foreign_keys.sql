-- Every declared foreign key, without the server's copies for partitions; one row for each of its columns in order.
-- to_jsonb reads catalog columns that only newer servers have.
WITH RECURSIVE beneath(type, base) AS (
  SELECT t.oid, t.oid FROM pg_type AS t WHERE t.typtype <> 'd'
  UNION ALL
  SELECT t.oid, beneath.base FROM pg_type AS t JOIN beneath ON t.typbasetype = beneath.type WHERE t.typtype = 'd'
),
copy(oid, declared) AS (
  SELECT k.oid, k.oid FROM pg_constraint AS k WHERE k.contype = 'f' AND k.conparentid = 0
  UNION ALL
  SELECT k.oid, copy.declared FROM pg_constraint AS k JOIN copy ON k.conparentid = copy.oid
),
-- An ordinary session's writes fire triggers that are enabled for the origin or always.
silent(declared, tables) AS (
  SELECT copy.declared, string_agg(DISTINCT t.tgrelid::regclass::text, ', ')
  FROM pg_trigger AS t JOIN copy ON copy.oid = t.tgconstraint
  WHERE t.tgenabled IN ('D', 'R')
  GROUP BY copy.declared
)
SELECT
  k.oid::int8,
  k.conname::text,
  k.conrelid::int8,
  k.confrelid::int8,
  k.confdeltype::text,
  k.confupdtype::text,
  k.confmatchtype = 'f',
  k.condeferrable,
  k.convalidated,
  coalesce((to_jsonb(k) ->> 'conenforced')::bool, true),
  coalesce((to_jsonb(k) ->> 'conperiod')::bool, false),
  silent.tables,
  key.child::int8,
  key.parent::int8,
  coalesce(to_jsonb(k) -> 'confdelsetcols' @> to_jsonb(key.child), false),
  opn.nspname::text,
  op.oprname::text,
  -- The operator's types if the columns must be converted to them first. A varchar need not be converted to text.
  CASE WHEN pt.oid <> pb.base AND pt.typtype <> 'p' AND NOT (pb.base = 'varchar'::regtype AND pt.oid = 'text'::regtype)
    THEN ptn.nspname::text END,
  pt.typname::text,
  CASE WHEN ct.oid <> cb.base AND ct.typtype <> 'p' AND NOT (cb.base = 'varchar'::regtype AND ct.oid = 'text'::regtype)
    THEN ctn.nspname::text END,
  ct.typname::text,
  pln.nspname::text,
  pl.collname::text,
  -- Code that comparing the values would run, and that any user may have written.
  (
    SELECT min(f.oid::regprocedure::text)
    FROM pg_proc AS f
    JOIN pg_language AS l ON l.oid = f.prolang
    WHERE f.oid IN (op.oprcode, pcast.castfunc, ccast.castfunc) AND l.lanname NOT IN ('internal', 'c')
      AND f.pronamespace <> 'pg_catalog'::regnamespace
  )
FROM pg_constraint AS k
CROSS JOIN LATERAL unnest(k.conkey, k.confkey, k.conpfeqop) WITH ORDINALITY AS key(child, parent, operator, ordinal)
JOIN pg_operator AS op ON op.oid = key.operator
JOIN pg_namespace AS opn ON opn.oid = op.oprnamespace
JOIN pg_attribute AS c ON c.attrelid = k.conrelid AND c.attnum = key.child
JOIN pg_attribute AS p ON p.attrelid = k.confrelid AND p.attnum = key.parent
JOIN beneath AS cb ON cb.type = c.atttypid
JOIN beneath AS pb ON pb.type = p.atttypid
JOIN pg_type AS ct ON ct.oid = op.oprright
JOIN pg_namespace AS ctn ON ctn.oid = ct.typnamespace
JOIN pg_type AS pt ON pt.oid = op.oprleft
JOIN pg_namespace AS ptn ON ptn.oid = pt.typnamespace
LEFT JOIN pg_collation AS pl ON pl.oid = p.attcollation
LEFT JOIN pg_namespace AS pln ON pln.oid = pl.collnamespace
LEFT JOIN pg_cast AS ccast ON ccast.castsource = cb.base AND ccast.casttarget = ct.oid
LEFT JOIN pg_cast AS pcast ON pcast.castsource = pb.base AND pcast.casttarget = pt.oid
LEFT JOIN silent ON silent.declared = k.oid
WHERE k.contype = 'f' AND k.conparentid = 0
ORDER BY k.conrelid, k.conname::text COLLATE "C", k.oid, key.ordinal
