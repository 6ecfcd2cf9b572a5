-- Tables for which the server would run a user's code while it plans a query, because it evaluates constants in the
-- conditions and expressions of indexes, statistics and partitions. Such code could attack a superuser.
SELECT coalesce(pg_partition_root(of.oid), of.oid)::int8, min(f.oid::regprocedure::text)
FROM pg_depend AS d
LEFT JOIN pg_index AS i ON d.classid = 'pg_class'::regclass AND i.indexrelid = d.objid
LEFT JOIN pg_statistic_ext AS s ON d.classid = 'pg_statistic_ext'::regclass AND s.oid = d.objid
LEFT JOIN pg_operator AS o ON d.refclassid = 'pg_operator'::regclass AND o.oid = d.refobjid
JOIN pg_proc AS f ON f.oid = CASE WHEN d.refclassid = 'pg_proc'::regclass THEN d.refobjid ELSE o.oprcode END
JOIN pg_language AS l ON l.oid = f.prolang
JOIN pg_roles AS r ON r.oid = f.proowner
CROSS JOIN LATERAL (SELECT coalesce(i.indrelid, s.stxrelid, d.objid) AS oid) AS of
WHERE d.classid IN ('pg_class'::regclass, 'pg_statistic_ext'::regclass)
  AND d.refclassid IN ('pg_proc'::regclass, 'pg_operator'::regclass)
  AND l.lanname NOT IN ('internal', 'c')
  AND NOT r.rolsuper
  AND current_setting('is_superuser') = 'on'
GROUP BY 1
