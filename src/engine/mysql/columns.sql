SELECT table_name, column_name, column_type, data_type, is_nullable = 'NO', collation_name,
  coalesce(generation_expression, '') <> ''
FROM information_schema.columns
WHERE table_schema = ? AND CAST(table_schema AS BINARY) = CAST(? AS BINARY)
ORDER BY CAST(table_name AS BINARY), ordinal_position
