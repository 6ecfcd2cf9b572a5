SELECT table_name, table_type, coalesce(engine, ''), coalesce(create_options, '')
FROM information_schema.tables
WHERE table_schema = ? AND CAST(table_schema AS BINARY) = CAST(? AS BINARY)
  AND table_type IN ('BASE TABLE', 'SYSTEM VERSIONED', 'VIEW')
ORDER BY CAST(table_name AS BINARY)
