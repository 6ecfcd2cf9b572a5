-- Every definition: kind, name, table and text. A foreign key, NOT NULL with all else of its column, a plain index and the
-- triggers of a repair are spelled here, so that a text which is written elsewhere can be held against the server's. What
-- begins with /*M! is read by MariaDB alone, and what begins with /*!8 by MySQL alone.
WITH indexes AS (
    SELECT index_name AS name, table_name AS `of`, concat(
        IF(max(non_unique) = 1 AND max(index_type) = 'BTREE' AND max(sub_part) IS NULL AND max(collation) = 'A' AND max(index_comment) = '',
            'INDEX ', concat_ws(' ', max(non_unique), max(index_type), max(index_comment), group_concat(concat_ws(' ', sub_part, collation) ORDER BY seq_in_index SEPARATOR ','), '')),
        '(', group_concat(coalesce(concat('`', replace(column_name, '`', '``'), '`') /*!80013 , concat('(', expression, ')') */) ORDER BY seq_in_index SEPARATOR ', '), ')') AS text
    FROM information_schema.statistics WHERE table_schema = database() GROUP BY table_name, index_name
), `keys` AS (
    SELECT k.constraint_name AS name, k.table_name AS `of`,
        concat('(', group_concat(concat('`', replace(k.column_name, '`', '``'), '`') ORDER BY k.ordinal_position SEPARATOR ', '), ')') AS columns,
        concat(' REFERENCES ', IF(max(k.referenced_table_schema) = database(), '', concat('`', replace(max(k.referenced_table_schema), '`', '``'), '`.')),
            '`', replace(max(k.referenced_table_name), '`', '``'), '`(',
            group_concat(concat('`', replace(k.referenced_column_name, '`', '``'), '`') ORDER BY k.ordinal_position SEPARATOR ', '), ')',
            IF(max(r.update_rule) = /*M! 'RESTRICT' */ /*!80000 'NO ACTION' */, '', concat(' ON UPDATE ', max(r.update_rule))),
            IF(max(r.delete_rule) = /*M! 'RESTRICT' */ /*!80000 'NO ACTION' */, '', concat(' ON DELETE ', max(r.delete_rule)))) AS text
    FROM information_schema.key_column_usage AS k
    LEFT JOIN information_schema.referential_constraints AS r
        ON r.constraint_schema = k.constraint_schema AND r.constraint_name = k.constraint_name AND r.table_name = k.table_name
    WHERE k.table_schema = database() AND k.referenced_table_name IS NOT NULL GROUP BY k.table_name, k.constraint_name
)
SELECT kind, name, `of`, text FROM (
    SELECT 'table' AS kind, CAST(table_name AS CHAR) AS name, CAST(table_name AS CHAR) AS `of`,
        concat_ws(' ', table_type, engine, table_collation, create_options) AS text
    FROM information_schema.tables WHERE table_schema = database()
    UNION ALL
    SELECT 'column', column_name, table_name, concat_ws('\n', IF(is_nullable = 'NO', 'NOT NULL', 'NULL'),
        concat(column_type, IF(collation_name IS NULL /*!80000 OR collation_name = table_collation */, '', concat(' COLLATE ', collation_name))),
        IF(column_default IS NULL, /*M! '' */ /*!80000 IF(is_nullable = 'YES' AND generation_expression = '', 'DEFAULT NULL', '') */, concat('DEFAULT ', /*M! column_default */
            /*!80000 CASE WHEN extra LIKE '%DEFAULT_GENERATED%' AND column_default NOT LIKE 'CURRENT_TIMESTAMP%' THEN concat('(', replace(replace(replace(column_default, '\\\\', char(1)), '\\\'', '\''), char(1), '\\'), ')')
                WHEN extra LIKE '%DEFAULT_GENERATED%' OR data_type = 'bit' THEN column_default ELSE quote(column_default) END */)),
        trim(replace(concat(extra /*!80000 , IF(data_type IN ('binary', 'varbinary') AND column_default IS NOT NULL, ' 0x', '') */), 'DEFAULT_GENERATED', '')),
        IF(column_comment = '', '', concat('COMMENT ', quote(column_comment))), coalesce(generation_expression, ''), ordinal_position)
    FROM information_schema.columns /*!80000 JOIN information_schema.tables USING (table_schema, table_name) */
    WHERE table_schema = database()
    UNION ALL
    SELECT 'index', name, `of`, text FROM indexes
    UNION ALL
    -- The server gives the index of a foreign key that comes back the foreign key's name: the second line is its own.
    -- Who may only read is told that there is one, and not what it does.
    SELECT 'constraint', name, `of`, coalesce(concat('FOREIGN KEY ', `keys`.columns, text,
        coalesce(concat('\nINDEX ', (SELECT min(i.name) FROM indexes AS i WHERE i.`of` = `keys`.`of` AND i.text = concat('INDEX ', `keys`.columns))), '')), '(hidden)')
    FROM `keys`
    UNION ALL
    SELECT 'check', c.constraint_name, /*M! c.table_name, c.check_clause */ /*!80016 t.table_name, concat_ws(' ', c.check_clause, t.enforced) */
    FROM information_schema.check_constraints AS c
    /*!80016 JOIN information_schema.table_constraints AS t
        ON t.constraint_schema = c.constraint_schema AND t.constraint_name = c.constraint_name AND t.constraint_type = 'CHECK' */
    WHERE c.constraint_schema = database()
    UNION ALL
    SELECT 'trigger', trigger_name, event_object_table,
        IF(trigger_name LIKE 'fk\\_doctor\\_prevent\\_%',
            concat(action_timing, ' ', event_manipulation, '\n', action_statement),
            -- Who may not see triggers is told that there is one, and not what it does.
            concat_ws(' ', action_timing, event_manipulation, action_order, sql_mode, coalesce(action_statement, '(hidden)')))
    FROM information_schema.triggers WHERE trigger_schema = database()
) AS definitions
ORDER BY CAST(kind AS BINARY), CAST(name AS BINARY), CAST(`of` AS BINARY), CAST(text AS BINARY)
