-- Every definition: kind, name, table and text. Foreign keys, NOT NULL and plain indexes are spelled here, every name
-- quoted, so that a text which is written elsewhere can be held against the server's: how the server itself spells a
-- name depends on its list of reserved words.
WITH ours AS (
    SELECT c.oid, c.relkind, c.relrowsecurity,
        CASE WHEN n.nspname = 'public' THEN c.relname::text ELSE n.nspname || '.' || c.relname END AS name
    FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
    WHERE n.nspname <> 'information_schema' AND n.nspname NOT LIKE 'pg\_%' AND c.relkind IN ('r', 'p', 'f', 'v', 'm')
), columns(oid, number, name) AS NOT MATERIALIZED (
    -- The columns of a table are found by an index. Materialized, all would be read for each key.
    SELECT a.attrelid, a.attnum, '"' || replace(a.attname, '"', '""') || '"' FROM pg_attribute AS a
), actions(code, name) AS (
    VALUES ('r', 'RESTRICT'), ('c', 'CASCADE'), ('n', 'SET NULL'), ('d', 'SET DEFAULT')
), keys(oid, name, of, text) AS (
    SELECT k.oid, k.conname::text, ours.name, concat(
        'FOREIGN KEY (',
        (SELECT string_agg(c.name, ', ' ORDER BY key.place) FROM unnest(k.conkey) WITH ORDINALITY AS key(number, place)
            JOIN columns AS c ON c.oid = k.conrelid AND c.number = key.number),
        ') REFERENCES "', replace(pn.nspname, '"', '""'), '"."', replace(p.relname, '"', '""'), '"(',
        (SELECT string_agg(c.name, ', ' ORDER BY key.place) FROM unnest(k.confkey) WITH ORDINALITY AS key(number, place)
            JOIN columns AS c ON c.oid = k.confrelid AND c.number = key.number),
        ')',
        CASE k.confmatchtype WHEN 'f' THEN ' MATCH FULL' END,
        ' ON UPDATE ' || updated.name,
        ' ON DELETE ' || deleted.name,
        (SELECT ' (' || string_agg(c.name, ', ' ORDER BY key.place) || ')'
            FROM jsonb_array_elements_text(nullif(to_jsonb(k) -> 'confdelsetcols', 'null'::jsonb)) WITH ORDINALITY AS key(number, place)
            JOIN columns AS c ON c.oid = k.conrelid AND c.number = key.number::int),
        CASE WHEN k.condeferrable THEN ' DEFERRABLE' END,
        CASE WHEN k.condeferred THEN ' INITIALLY DEFERRED' END,
        CASE WHEN NOT coalesce((to_jsonb(k) ->> 'conenforced')::bool, true) THEN ' NOT ENFORCED'
            WHEN NOT k.convalidated THEN ' NOT VALID' END)
    FROM ours
    JOIN pg_constraint AS k ON k.conrelid = ours.oid AND k.contype = 'f' AND k.conparentid = 0
    JOIN pg_class AS p ON p.oid = k.confrelid JOIN pg_namespace AS pn ON pn.oid = p.relnamespace
    LEFT JOIN actions AS updated ON updated.code = k.confupdtype::text
    LEFT JOIN actions AS deleted ON deleted.code = k.confdeltype::text
    WHERE NOT coalesce((to_jsonb(k) ->> 'conperiod')::bool, false)
), not_nulls(oid, name, of, text, table_oid, number) AS (
    -- Since PostgreSQL 18 these have names of their own.
    SELECT k.oid, k.conname::text, ours.name, concat('NOT NULL ', c.name, CASE WHEN k.connoinherit THEN ' NO INHERIT' END,
        CASE WHEN NOT k.convalidated THEN ' NOT VALID' END), c.oid, c.number
    FROM ours
    JOIN pg_constraint AS k ON k.conrelid = ours.oid AND k.contype = 'n'
    JOIN columns AS c ON c.oid = k.conrelid AND c.number = k.conkey[1]
), definitions(kind, name, of, text) AS (
    SELECT 'table', name, name, relkind::text || relrowsecurity::text FROM ours
    UNION ALL
    SELECT 'column', a.attname::text, ours.name, CASE WHEN a.attnotnull AND NOT EXISTS (SELECT FROM not_nulls AS n
        WHERE n.table_oid = a.attrelid AND n.number = a.attnum) THEN 'NOT NULL ' ELSE '' END || concat_ws(' ',
        a.attnum, format_type(a.atttypid, a.atttypmod), a.attidentity, a.attgenerated, a.attcollation, pg_get_expr(d.adbin, d.adrelid))
    FROM ours JOIN pg_attribute AS a ON a.attrelid = ours.oid AND a.attnum > 0 AND NOT a.attisdropped
    LEFT JOIN pg_attrdef AS d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
    UNION ALL
    SELECT 'constraint', name, of, text FROM keys
    UNION ALL
    SELECT 'constraint', name, of, text FROM not_nulls
    UNION ALL
    -- A partition's copy of a foreign key is told with what it is a copy of.
    SELECT 'constraint', k.conname::text, ours.name, pg_get_constraintdef(k.oid) FROM ours
    JOIN pg_constraint AS k ON k.conrelid = ours.oid
    WHERE k.contype <> 'n' AND NOT (k.contype = 'f' AND k.conparentid <> 0) AND NOT EXISTS (SELECT FROM keys WHERE keys.oid = k.oid)
    UNION ALL
    SELECT 'comment', name, of, obj_description(oid, 'pg_constraint')
    FROM (SELECT oid, name, of FROM keys UNION ALL SELECT oid, name, of FROM not_nulls) AS constraints
    WHERE obj_description(oid, 'pg_constraint') IS NOT NULL
    UNION ALL
    SELECT 'index', c.relname::text, ours.name,
        CASE WHEN am.amname = 'btree' AND NOT i.indisunique AND i.indisvalid AND i.indexprs IS NULL AND i.indpred IS NULL
            AND i.indnatts = i.indnkeyatts AND c.reloptions IS NULL AND plain.is_so THEN 'CREATE INDEX (' || plain.columns || ')'
        ELSE pg_get_indexdef(i.indexrelid) END
    FROM ours
    JOIN pg_index AS i ON i.indrelid = ours.oid
    JOIN pg_class AS c ON c.oid = i.indexrelid JOIN pg_am AS am ON am.oid = c.relam
    CROSS JOIN LATERAL (
        SELECT string_agg(columns.name, ', ' ORDER BY key.place),
            bool_and(key.option = 0 AND key.collated = a.attcollation AND o.opcdefault)
        FROM unnest(i.indkey, i.indoption, i.indcollation, i.indclass)
            WITH ORDINALITY AS key(number, option, collated, class, place)
        JOIN pg_attribute AS a ON a.attrelid = ours.oid AND a.attnum = key.number
        JOIN columns ON columns.oid = ours.oid AND columns.number = key.number
        JOIN pg_opclass AS o ON o.oid = key.class
    ) AS plain(columns, is_so)
    UNION ALL
    -- Of the triggers that a repair made: when they fire, and what they run.
    SELECT 'trigger', t.tgname::text, ours.name,
        CASE WHEN t.tgname LIKE 'fk\_doctor\_prevent\_%' AND t.tgenabled = 'O' AND t.tgtype = 23 AND NOT p.prosecdef
            AND p.proname = t.tgname AND p.proconfig = ARRAY['search_path=pg_catalog, pg_temp']
        THEN concat('BEFORE INSERT OR UPDATE OF ', (SELECT string_agg(c.name, ', ' ORDER BY key.place)
            FROM unnest(t.tgattr) WITH ORDINALITY AS key(number, place)
            JOIN columns AS c ON c.oid = ours.oid AND c.number = key.number), E'\n', p.prosrc)
        ELSE t.tgenabled::text || pg_get_triggerdef(t.oid) || md5(p.prosrc) END
    FROM ours
    JOIN pg_trigger AS t ON t.tgrelid = ours.oid AND NOT t.tgisinternal JOIN pg_proc AS p ON p.oid = t.tgfoid
    UNION ALL
    SELECT 'rule', r.rulename::text, ours.name, pg_get_ruledef(r.oid) FROM ours JOIN pg_rewrite AS r ON r.ev_class = ours.oid
)
SELECT kind, name, of, text FROM definitions ORDER BY kind COLLATE "C", name COLLATE "C", of COLLATE "C", text COLLATE "C"
