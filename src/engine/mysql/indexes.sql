-- One row for each column of an index, in order. An expression has no column.
SELECT table_name, index_name, non_unique = 0, coalesce(column_name, ''), sub_part IS NULL
FROM information_schema.statistics
WHERE table_schema = ? AND CAST(table_schema AS BINARY) = CAST(? AS BINARY) AND index_type IN ('BTREE', 'HASH')
ORDER BY CAST(table_name AS BINARY), index_name <> 'PRIMARY', CAST(index_name AS BINARY), seq_in_index
