WITH ours AS (
    SELECT c.oid, c.relkind, c.relrowsecurity,
        CASE WHEN n.nspname = 'public' THEN c.relname::text ELSE n.nspname || '.' || c.relname END AS name
    FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
    WHERE n.nspname <> 'information_schema' AND n.nspname NOT LIKE 'pg\_%' AND c.relkind IN ('r', 'p', 'f', 'v', 'm')
), definitions(kind, name, of, text) AS (
    SELECT 'table', name, name, relkind::text || relrowsecurity::text FROM ours
    UNION ALL
    SELECT 'column', a.attname::text, ours.name, concat_ws(' ', a.attnum, format_type(a.atttypid, a.atttypmod),
        a.attnotnull, a.attidentity, a.attgenerated, a.attcollation, pg_get_expr(d.adbin, d.adrelid))
    FROM ours JOIN pg_attribute AS a ON a.attrelid = ours.oid AND a.attnum > 0 AND NOT a.attisdropped
    LEFT JOIN pg_attrdef AS d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
    UNION ALL
    SELECT 'constraint', k.conname::text, ours.name, pg_get_constraintdef(k.oid) FROM ours
    JOIN pg_constraint AS k ON k.conrelid = ours.oid
    UNION ALL
    SELECT 'index', i.indexrelid::regclass::text, ours.name, pg_get_indexdef(i.indexrelid) FROM ours
    JOIN pg_index AS i ON i.indrelid = ours.oid
    UNION ALL
    SELECT 'trigger', t.tgname::text, ours.name, t.tgenabled::text || pg_get_triggerdef(t.oid) || md5(p.prosrc) FROM ours
    JOIN pg_trigger AS t ON t.tgrelid = ours.oid AND NOT t.tgisinternal JOIN pg_proc AS p ON p.oid = t.tgfoid
    UNION ALL
    SELECT 'rule', r.rulename::text, ours.name, pg_get_ruledef(r.oid) FROM ours JOIN pg_rewrite AS r ON r.ev_class = ours.oid
)
SELECT kind, name, of, text FROM definitions ORDER BY kind COLLATE "C", name COLLATE "C", of COLLATE "C", text COLLATE "C"
