//! Relations are relaxed, enforced and prevented on MySQL and MariaDB, where each definition is committed at once, and
//! are undone exactly.

use super::common::States as _;
use super::server::Server;

const ODD: &str = "CREATE TABLE p(id int PRIMARY KEY, code varchar(20) COLLATE utf8mb4_bin UNIQUE); CREATE TABLE pair(a int, `b ``q` int, PRIMARY KEY (a, `b ``q`));
CREATE TABLE `odd child`(
    id int PRIMARY KEY,
    r1 int NOT NULL,
    r2 varchar(20) COLLATE utf8mb4_bin NOT NULL DEFAULT 'it''s' COMMENT 'why \\'it\\' is',
    x int, `y z` int, up int,
    seen timestamp NOT NULL DEFAULT current_timestamp() ON UPDATE current_timestamp(),
    CONSTRAINT `fk ``one` FOREIGN KEY (r1) REFERENCES p(id) ON DELETE CASCADE,
    FOREIGN KEY (r2) REFERENCES p(code) ON UPDATE CASCADE ON DELETE NO ACTION,
    FOREIGN KEY (x, `y z`) REFERENCES pair(a, `b ``q`) ON DELETE SET NULL,
    CONSTRAINT up FOREIGN KEY (up) REFERENCES `odd child`(id)
);
INSERT INTO p VALUES (1, 'a'); INSERT INTO `odd child`(id, r1, r2) VALUES (1, 1, 'a');
SET foreign_key_checks = 0; INSERT INTO `odd child`(id, r1, r2) VALUES (2, 77, 'a'); SET foreign_key_checks = 1";

/// Returns every table and trigger as the server writes it.
fn definitions(server: &Server) -> Vec<String> {
    let mut all = Vec::new();
    for table in server.texts(
        "SELECT table_name FROM information_schema.tables \
         WHERE table_schema = database() AND table_name <> 'fk_doctor_state' ORDER BY 1",
    ) {
        let texts = server.column(&format!("SHOW CREATE TABLE `{}`", table.replace('`', "``")), 1);
        // The counter and the order of the indexes are omitted.
        all.extend(texts.iter().map(|text| {
            let plain = |line: &str| {
                let (before, after) = line.split_once(" AUTO_INCREMENT=").unwrap_or((line, ""));
                let after = after.trim_start_matches(|c: char| c.is_ascii_digit());
                format!("{before}{after}").trim_end_matches(',').to_owned()
            };
            let mut lines: Vec<String> = text.lines().map(plain).collect();
            lines.sort();
            // MySQL prints no display width.
            lines.join("\n").replace("int(11)", "int")
        }));
    }
    all.extend(server.texts(
        "SELECT concat_ws('|', trigger_name, action_timing, event_manipulation, action_statement) FROM information_schema.triggers
         WHERE trigger_schema = database() ORDER BY trigger_name",
    ));
    all
}

fn foreign_keys(server: &Server) -> Vec<String> {
    server.texts("SELECT constraint_name FROM information_schema.referential_constraints WHERE constraint_schema = database() ORDER BY 1")
}

#[test]
fn foreign_keys_are_relaxed_and_restored_exactly() {
    for server in Server::mysql_family(ODD) {
        let before = definitions(&server);
        let url = server.url();
        let relax = ["repair", url.as_str(), "--relax", "*(*)", "--nullable"];
        let dry = server.run(&[&relax[..], &["-o", "plan"]].concat());
        assert_eq!((dry.code, dry.stderr.as_str()), (0, ""), "{}", dry.stdout);
        assert_eq!(definitions(&server), before, "a dry run writes nothing");
        let applied = server.run(&["apply", &url, "plan"]);
        assert_eq!((applied.code, applied.stderr.as_str()), (0, ""), "{}", applied.stdout);
        assert!(applied.stdout.states("changed    6 definitions"), "{}", applied.stdout);
        assert_eq!(foreign_keys(&server), Vec::<String>::new());
        let relaxed = definitions(&server);
        assert!(relaxed.iter().any(|text| text.contains("`r1` int DEFAULT NULL")), "{relaxed:?}");
        assert!(relaxed.iter().any(|text| text.contains("DEFAULT 'it''s' COMMENT 'why ''it'' is'")), "{relaxed:?}");
        let again = server.run(&["apply", &url, "plan"]);
        assert!(again.stdout.contains("nothing to do: plan was applied"), "{}{}", again.stdout, again.stderr);

        server.execute("UPDATE `odd child` SET r1 = NULL WHERE id = 1");
        let refused = server.run(&["undo", &url, "plan"]);
        assert_eq!(refused.code, 5, "{}", refused.stdout);
        assert!(refused.stderr.contains("given NULL in r1 since"), "{}", refused.stderr);
        server.execute("UPDATE `odd child` SET r1 = 1 WHERE id = 1");
        let undone = server.run(&["undo", &url, "plan"]);
        assert_eq!((undone.code, undone.stderr.as_str()), (0, ""), "{}", undone.stdout);
        assert_eq!(definitions(&server), before);
        assert_eq!(
            server.texts("SELECT CAST(r1 AS CHAR) FROM `odd child` WHERE id = 2"),
            ["77"],
            "an orphan stays one"
        );
    }
}

/// An interrupted run can be completed or undone.
#[test]
fn interrupted_change_is_resumed_or_undone() {
    for server in Server::mysql_family(ODD) {
        let before = definitions(&server);
        let url = server.url();
        server.run(&["repair", &url, "--relax", "*(*)", "-o", "plan"]);
        let run = |command: &str| server.run(&[command, &url, "plan"]);
        for command in ["apply", "undo"] {
            assert_eq!(run("apply").code, 0);
            // The state of a run that was interrupted before it changed this definition, or just after it was changed
            // back.
            server.execute(
                "SET foreign_key_checks = 0; ALTER TABLE `odd child` \
                 ADD CONSTRAINT `fk ``one` FOREIGN KEY (r1) REFERENCES p(id) ON DELETE CASCADE; SET foreign_key_checks = 1",
            );
            let run_again = run(command);
            assert_eq!((run_again.code, run_again.stderr.as_str()), (0, ""), "{command}: {}", run_again.stdout);
            assert_eq!(foreign_keys(&server).len(), if command == "apply" { 0 } else { 4 }, "{command}");
            assert_eq!(run("undo").code, 0);
            assert_eq!(foreign_keys(&server).len(), 4);
        }
        assert_eq!(definitions(&server).len(), before.len());
    }
}

#[test]
fn clean_relation_is_declared_with_its_index() {
    let seed = "CREATE TABLE posts(id int PRIMARY KEY); CREATE TABLE comments(id int PRIMARY KEY, post_id int);
        INSERT INTO posts VALUES (1); INSERT INTO comments VALUES (1, 1), (2, NULL), (3, 9)";
    for server in Server::mysql_family(seed) {
        let url = server.url();
        let before = definitions(&server);
        let enforce =
            ["repair", url.as_str(), "--enforce", "comments(post_id) -> posts(id)", "--on-delete", "set-null"];
        let refused = server.run(&enforce);
        assert_eq!(refused.code, 5, "{}{}", refused.stdout, refused.stderr);
        assert!(refused.stdout.states("1 orphan row would remain (1 missing key)"), "{}", refused.stdout);

        server.execute("DELETE FROM comments WHERE id = 3");
        let dry = server.run(&[&enforce[..], &["-o", "plan"]].concat());
        assert_eq!((dry.code, dry.stderr.as_str()), (0, ""), "{}", dry.stdout);
        assert!(dry.stdout.contains("commits each definition at once"), "{}", dry.stdout);
        let script = server.run(&[&enforce[..], &["--format", "sql"]].concat()).stdout;
        // An orphan arrives between plan and apply. The server finds it, and undo drops the unused index.
        server.execute("INSERT INTO comments VALUES (3, 9)");
        let late = server.run(&["apply", &url, "plan"]);
        assert_eq!(late.code, 5, "{}{}", late.stdout, late.stderr);
        assert!(late.stderr.contains("foreign key constraint fails"), "{}", late.stderr);
        assert!(late.stderr.contains("`fk-doctor undo` takes it back"), "{}", late.stderr);
        assert_eq!(server.run(&["undo", &url, "plan"]).code, 0);
        assert_eq!(definitions(&server), before);

        server.execute("DELETE FROM comments WHERE id = 3");
        let applied = server.run(&["apply", &url, "plan"]);
        assert_eq!((applied.code, applied.stderr.as_str()), (0, ""), "{}", applied.stdout);
        assert!(server.attempt("INSERT INTO comments VALUES (4, 9)").is_err());
        let enforced = definitions(&server);
        assert!(enforced[0].contains("KEY `comments_post_id` (`post_id`)"), "{enforced:?}");
        assert!(
            enforced[0].contains("FOREIGN KEY (`post_id`) REFERENCES `posts` (`id`) ON DELETE SET NULL"),
            "{enforced:?}"
        );
        let undone = server.run(&["undo", &url, "plan"]);
        assert_eq!((undone.code, undone.stderr.as_str()), (0, ""), "{}", undone.stdout);
        assert_eq!(definitions(&server), before);
        server.execute(&script);
        assert_eq!(definitions(&server), enforced, "{script}");
    }
}

const MEDIA: &str = "CREATE TABLE media_sources(source_id varchar(20) PRIMARY KEY, source_type varchar(20) NOT NULL, title varchar(80) NOT NULL,
    url varchar(80) NOT NULL UNIQUE, `rank` int NOT NULL, seen datetime NOT NULL DEFAULT current_timestamp());
CREATE TABLE known(id varchar(20) PRIMARY KEY, label varchar(20));
CREATE TABLE statuses(id int AUTO_INCREMENT PRIMARY KEY, source_id varchar(20) NOT NULL, metadata varchar(200),
    FOREIGN KEY (source_id) REFERENCES media_sources(source_id) ON DELETE CASCADE);
INSERT INTO media_sources(source_id, source_type, title, url, `rank`) VALUES ('dQ', 'youtube', 'A song', 'https://v/dQ', 1);
INSERT INTO known VALUES ('abc', 'known')";

const RULE: &str = r#"
id = "media"
relation.child = "statuses(source_id)"
[[treat]]
action = "placeholder"
[treat.values]
source_type = "youtube"
title = { sql = "concat('Queued: ', coalesce((SELECT label FROM known WHERE id = `key`.source_id), `key`.source_id))" }
url = { sql = "coalesce(json_value(child.metadata, '$.url'), concat('youtube://', `key`.source_id))" }
rank = { sql = "length(`key`.source_id)" }
[[treat]]
action = "prevent"
"#;

#[test]
fn status_before_its_source_gets_a_placeholder() {
    for server in Server::mysql_family(MEDIA) {
        let url = server.url();
        server.bench.write("r.toml", RULE);
        let insert = r#"INSERT INTO statuses(source_id, metadata) VALUES ('abc', '{"url": "https://v/abc"}')"#;
        assert!(server.attempt(insert).is_err());
        let before = definitions(&server);
        let dry = server.run(&["repair", &url, "--rules", "r.toml", "-o", "plan"]);
        assert_eq!((dry.code, dry.stderr.as_str()), (0, ""), "{}", dry.stdout);
        assert_eq!(definitions(&server), before);
        let applied = server.run(&["apply", &url, "plan"]);
        assert_eq!((applied.code, applied.stderr.as_str()), (0, ""), "{}", applied.stdout);
        let prevented = definitions(&server);
        server.execute(insert);
        let source =
            "SELECT concat_ws('|', source_type, title, url, `rank`) FROM media_sources WHERE source_id = 'abc'";
        assert_eq!(server.texts(source), ["youtube|Queued: known|https://v/abc|3"]);
        server.execute("UPDATE statuses SET source_id = 'moved', metadata = NULL WHERE source_id = 'abc'");
        server.execute(
        "INSERT INTO media_sources(source_id, source_type, title, url, `rank`) VALUES ('moved', 'vimeo', 'A film', 'https://v/moved', 2)
         ON DUPLICATE KEY UPDATE title = VALUES(title)",
    );
        // Another source has the address. It stays unchanged, and the statement fails as before.
        let clash = r#"INSERT INTO statuses(source_id, metadata) VALUES ('x', '{"url": "https://v/dQ"}')"#;
        assert!(server.attempt(clash).unwrap_err().to_string().contains("foreign key"));
        assert_eq!(server.texts("SELECT title FROM media_sources WHERE url = 'https://v/dQ'"), ["A song"]);

        let again = server.run(&["repair", &url, "--rules", "r.toml"]);
        assert!(again.stdout.contains("nothing to do: "), "{}", again.stdout);
        let dropped = server.run(&["repair", &url, "--no-prevent", "statuses(*)", "-o", "drop", "--apply"]);
        assert_eq!(dropped.code, 0, "{}{}", dropped.stdout, dropped.stderr);
        assert_eq!(definitions(&server)[..3], before[..3]);
        assert_eq!(server.run(&["undo", &url, "drop"]).code, 0);
        assert_eq!(definitions(&server).len(), prevented.len());
        let undone = server.run(&["undo", &url, "plan"]);
        assert_eq!((undone.code, undone.stderr.as_str()), (0, ""), "{}", undone.stdout);
        assert_eq!(definitions(&server).len(), before.len());
    }
}

/// Columns with a default of every kind lose NOT NULL and get it back, and nothing else changes in them.
#[test]
fn defaults_of_every_kind_are_restored() {
    let columns = [
        "int NOT NULL DEFAULT (1 + 1) COMMENT 'x''y\\\\z'",
        "varchar(20) COLLATE utf8mb4_bin NOT NULL DEFAULT 'it''s \\\\ \"q\" \u{e9}'",
        "timestamp NOT NULL DEFAULT current_timestamp() ON UPDATE current_timestamp()",
        "bit(3) NOT NULL DEFAULT b'101'",
        "decimal(5, 2) NOT NULL DEFAULT 1.5",
        "enum('a', 'b') NOT NULL DEFAULT 'b'",
        "varchar(20) NOT NULL DEFAULT (concat('a', '''b\\\\'))",
    ];
    let parent = [
        "int",
        "varchar(20) COLLATE utf8mb4_bin",
        "timestamp",
        "bit(3)",
        "decimal(5, 2)",
        "enum('a', 'b')",
        "varchar(20)",
    ];
    let all = |columns: &[&str], more: &str| {
        let one = |(place, column): (usize, &&str)| format!(", r{place} {column}{more}");
        columns.iter().enumerate().map(one).collect::<String>()
    };
    let keys: String =
        (0..columns.len()).map(|place| format!(", FOREIGN KEY (r{place}) REFERENCES p(r{place})")).collect();
    let seed = format!(
        "CREATE TABLE p(id int PRIMARY KEY{}); CREATE TABLE c(id int PRIMARY KEY{}{keys})",
        all(&parent, " UNIQUE"),
        all(&columns, "")
    );
    for server in Server::mysql_family(&seed) {
        let (before, url) = (definitions(&server), server.url());
        let relaxed = server.run(&["repair", &url, "--relax", "c(*)", "--nullable", "-o", "plan", "--apply"]);
        assert_eq!((relaxed.code, relaxed.stderr.as_str()), (0, ""), "{}", relaxed.stdout);
        let left = definitions(&server)[0].matches("NOT NULL").count();
        assert_eq!(left, 1, "the primary key's alone: {:?}", definitions(&server));
        let undone = server.run(&["undo", &url, "plan"]);
        assert_eq!((undone.code, undone.stderr.as_str()), (0, ""), "{}", undone.stdout);
        assert_eq!(definitions(&server), before);
    }
    let bytes = "CREATE TABLE p(v varbinary(4) PRIMARY KEY); \
        CREATE TABLE c(id int PRIMARY KEY, r varbinary(4) NOT NULL DEFAULT x'00ff', FOREIGN KEY (r) REFERENCES p(v))";
    let Some(server) = Server::mysql(bytes) else { return };
    let refused = server.run(&["repair", &server.url(), "--relax", "c(r)", "--nullable"]);
    assert!(refused.stdout.contains("r is more than a plain column"), "{}", refused.stdout);
}
