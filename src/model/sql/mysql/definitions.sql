SELECT kind, name, of, text FROM (
    SELECT 'table' AS kind, CAST(table_name AS CHAR) AS name, CAST(table_name AS CHAR) AS of,
        concat_ws(' ', table_type, engine, table_collation, create_options) AS text
    FROM information_schema.tables WHERE table_schema = database()
    UNION ALL
    SELECT 'column', column_name, table_name, concat_ws(' ', ordinal_position, column_type, is_nullable, collation_name,
        column_default, extra, generation_expression)
    FROM information_schema.columns WHERE table_schema = database()
    UNION ALL
    SELECT 'index', index_name, table_name, concat_ws(' ', seq_in_index, non_unique, column_name, sub_part, index_type)
    FROM information_schema.statistics WHERE table_schema = database()
    UNION ALL
    SELECT 'constraint', constraint_name, table_name, concat_ws(' ', ordinal_position, column_name,
        referenced_table_schema, referenced_table_name, referenced_column_name)
    FROM information_schema.key_column_usage WHERE table_schema = database() AND referenced_table_name IS NOT NULL
    UNION ALL
    SELECT 'rule', constraint_name, table_name, concat_ws(' ', update_rule, delete_rule)
    FROM information_schema.referential_constraints WHERE constraint_schema = database()
    UNION ALL
    SELECT 'check', constraint_name, table_name, check_clause
    FROM information_schema.check_constraints WHERE constraint_schema = database()
    UNION ALL
    SELECT 'trigger', trigger_name, event_object_table, concat_ws(' ', action_timing, event_manipulation,
        action_order, sql_mode, action_statement)
    FROM information_schema.triggers WHERE trigger_schema = database()
) AS definitions
ORDER BY CAST(kind AS BINARY), CAST(name AS BINARY), CAST(of AS BINARY), CAST(text AS BINARY)
