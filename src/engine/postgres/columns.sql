-- Every column with the base type of its domains, its collation, the equality operator of its values, and how they become texts.
WITH RECURSIVE beneath(type, base) AS (
  SELECT t.oid, t.oid FROM pg_type AS t WHERE t.typtype <> 'd'
  UNION ALL
  SELECT t.oid, beneath.base FROM pg_type AS t JOIN beneath ON t.typbasetype = beneath.type WHERE t.typtype = 'd'
),
equality(type, schema, name) AS (
  SELECT c.opcintype, n.nspname::text, o.oprname::text
  FROM pg_opclass AS c
  JOIN pg_am AS m ON m.oid = c.opcmethod AND m.amname = 'btree'
  JOIN pg_amop AS a ON a.amopfamily = c.opcfamily AND a.amopstrategy = 3
    AND a.amoplefttype = c.opcintype AND a.amoprighttype = c.opcintype
  JOIN pg_operator AS o ON o.oid = a.amopopr
  JOIN pg_namespace AS n ON n.oid = o.oprnamespace
  WHERE c.opcdefault
)
SELECT
  a.attrelid::int8,
  a.attnum::int8,
  a.attname::text,
  format_type(a.atttypid, a.atttypmod),
  a.attnotnull,
  a.attgenerated <> '',
  a.attidentity = 'a',
  tn.nspname::text,
  t.typname::text,
  t.typtype = 'c',
  cn.nspname::text,
  l.collname::text,
  coalesce(e.schema, 'pg_catalog'),
  coalesce(e.name, '='),
  coalesce(l.collisdeterministic, true),
  EXISTS (
    SELECT 1 FROM pg_cast AS k
    WHERE k.castsource = t.oid AND k.casttarget = 'pg_catalog.text'::regtype AND k.castcontext = 'i' AND k.castmethod = 'b'
  )
FROM pg_attribute AS a
JOIN beneath ON beneath.type = a.atttypid
JOIN pg_type AS t ON t.oid = beneath.base
JOIN pg_namespace AS tn ON tn.oid = t.typnamespace
LEFT JOIN pg_collation AS l ON l.oid = a.attcollation
LEFT JOIN pg_namespace AS cn ON cn.oid = l.collnamespace
LEFT JOIN equality AS e ON e.type = t.oid
WHERE a.attnum > 0 AND NOT a.attisdropped AND a.attrelid = ANY (
  SELECT c.oid FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
  WHERE n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
)
ORDER BY a.attrelid, a.attnum
