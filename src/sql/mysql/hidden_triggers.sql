WITH account AS (
    SELECT concat('\'', left(name, char_length(name) - char_length(substring_index(name, '@', -1)) - 1), '\'@\'',
        substring_index(name, '@', -1), '\'') AS grantee
    FROM (SELECT current_user() AS name) AS names
)
SELECT 1 FROM account
WHERE current_role() = 'NONE'
    AND NOT EXISTS (SELECT 1 FROM information_schema.user_privileges AS granted
        WHERE granted.grantee = account.grantee AND granted.privilege_type = 'TRIGGER')
    AND NOT EXISTS (SELECT 1 FROM information_schema.schema_privileges AS granted
        WHERE granted.grantee = account.grantee AND granted.privilege_type = 'TRIGGER' AND database() LIKE granted.table_schema)
    AND EXISTS (SELECT 1 FROM information_schema.tables AS t
        WHERE t.table_schema = database() AND t.table_type = 'BASE TABLE'
            AND NOT EXISTS (SELECT 1 FROM information_schema.table_privileges AS granted
                WHERE granted.grantee = account.grantee AND granted.privilege_type = 'TRIGGER'
                    AND granted.table_schema = t.table_schema AND granted.table_name = t.table_name))
