SELECT table_name, constraint_name, delete_rule, update_rule
FROM information_schema.referential_constraints
WHERE constraint_schema = ? AND CAST(constraint_schema AS BINARY) = CAST(? AS BINARY)
