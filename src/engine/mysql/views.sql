SELECT table_name, view_definition
FROM information_schema.views
WHERE table_schema = ? AND CAST(table_schema AS BINARY) = CAST(? AS BINARY)
ORDER BY CAST(table_name AS BINARY)
