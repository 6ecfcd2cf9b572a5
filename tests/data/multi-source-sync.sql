-- A sync run carries the id of a multi-source knowledge base; in words that every engine understands.
CREATE TABLE knowledge_base(id INTEGER PRIMARY KEY, name TEXT NOT NULL);
CREATE TABLE multi_source_knowledge_base(id INTEGER PRIMARY KEY, name TEXT NOT NULL);
CREATE TABLE unrelated(id INTEGER PRIMARY KEY);
CREATE TABLE sync_run(id INTEGER PRIMARY KEY, knowledge_base_id INTEGER NOT NULL REFERENCES knowledge_base(id));
CREATE INDEX sync_run_knowledge_base ON sync_run(knowledge_base_id);
INSERT INTO knowledge_base VALUES (1, 'docs'), (30, 'wiki_de');
INSERT INTO multi_source_knowledge_base VALUES (22, 'wiki');
INSERT INTO unrelated VALUES (22);
INSERT INTO sync_run VALUES (1, 1), (2, 30), (3, 22), (4, 22);
