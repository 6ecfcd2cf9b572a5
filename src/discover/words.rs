//! Splits names of tables and columns into words, and knows the words that carry a meaning of their own.

/// Words that mark a column as an identifier, and say nothing about the thing that it identifies.
const ID_WORDS: &[&str] = &[
    "id",
    "ids",
    "key",
    "sk",
    "pk",
    "fk",
    "no",
    "nr",
    "num",
    "number",
    "code",
    "cd",
    "uuid",
    "guid",
    "ref",
    "gid",
    "rowid",
    "oid",
    "idx",
    "nbr",
    "identifier",
    "abbreviation",
    "abbr",
    "symbol",
    "ssn",
    "isbn",
];

/// Identifier words that can be glued to the end of another word, as in `customerid`; the longest comes first.
pub(super) const GLUED_ID_WORDS: &[&str] = &["identifier", "number", "code", "key", "id", "nr", "no", "sk"];

/// Identifier words that can stand at the beginning of a name, as in `fk_customer`.
pub(super) const LEADING_ID_WORDS: &[&str] = &["fk", "id", "ref", "cod", "idx"];

/// Names of columns that many tables have, so that an equal name proves nothing.
const GENERIC_WORDS: &[&str] = &[
    "name",
    "type",
    "status",
    "title",
    "description",
    "value",
    "date",
    "time",
    "year",
    "level",
    "position",
    "rank",
    "count",
    "total",
    "amount",
    "price",
    "quantity",
    "percentage",
    "age",
    "size",
    "weight",
    "height",
    "score",
    "order",
    "sort",
    "line",
    "sequence",
    "version",
    "flag",
    "active",
    "text",
    "note",
    "comment",
    "label",
    "kind",
    "season",
    "round",
    "population",
    "area",
    "length",
    "rating",
    "salary",
    "budget",
    "attendance",
    "points",
    "capacity",
    "num",
    "number",
    "latitude",
    "longitude",
    "month",
    "day",
    "hour",
];

/// Roles of another row of the same table.
const SELF_ROLES: &[&str] = &[
    "parent",
    "manager",
    "supervisor",
    "boss",
    "root",
    "prev",
    "previous",
    "next",
    "leader",
    "reports",
    "report",
    "reply",
    "original",
    "mentor",
    "friend",
    "chief",
    "superior",
    "ancestor",
    "parental",
    "replaced",
    "successor",
    "predecessor",
    "master",
    "head",
    "super",
    "mgr",
    "subject",
];

/// Roles of a person.
const PERSON_ROLES: &[&str] = &[
    "author",
    "owner",
    "creator",
    "created",
    "updated",
    "modified",
    "assigned",
    "assignee",
    "user",
    "manager",
    "member",
    "approver",
    "reviewer",
    "editor",
    "sender",
    "receiver",
    "recipient",
    "advisor",
    "responsible",
    "contact",
    "staff",
    "employee",
    "rep",
    "by",
    "person",
    "agent",
    "who",
    "player",
    "teacher",
    "instructor",
    "winner",
    "loser",
    "opponent",
    "captain",
    "coach",
    "host",
    "publisher",
    "follower",
    "followed",
    "customer",
    "voter",
    "teller",
    "buyer",
    "seller",
    "lender",
    "borrower",
    "payer",
    "payee",
    "requester",
    "applicant",
    "attendee",
    "inviter",
    "invitee",
    "caller",
    "callee",
    "driver",
    "pilot",
    "doctor",
    "nurse",
    "lecturer",
    "tutor",
    "director",
    "chairman",
    "president",
    "secretary",
    "producer",
    "writer",
    "translator",
    "referee",
    "sponsor",
    "organizer",
    // In another table than the one of the people, these are roles as well.
    "supervisor",
    "boss",
    "leader",
    "mentor",
    "friend",
    "chief",
    "head",
    "mgr",
];

/// Tables whose rows other tables often describe further, each with a key of its own.
const SUPERTYPES: &[&str] = &["person", "party", "individual", "user", "contact", "member", "entity"];

/// Words in the names of tables that hold people.
const PEOPLE: &[&str] = &[
    "user",
    "person",
    "people",
    "employee",
    "account",
    "member",
    "staff",
    "customer",
    "player",
    "student",
    "contact",
    "profile",
    "principal",
    "faculty",
    "teacher",
    "instructor",
    "participant",
    "patient",
    "physician",
    "guest",
    "editor",
    "artist",
    "singer",
];

/// Words for something that is measured or counted. A column so named rarely refers to a row.
const MEASURES: &[&str] = &[
    "price",
    "amount",
    "total",
    "qty",
    "quantity",
    "count",
    "percent",
    "pct",
    "rate",
    "score",
    "salary",
    "weight",
    "height",
    "length",
    "width",
    "size",
    "age",
    "year",
    "date",
    "time",
    "lat",
    "lon",
    "longitude",
    "latitude",
    "population",
    "area",
    "budget",
    "attendance",
    "point",
    "points",
    "rank",
    "duration",
    "balance",
    "tax",
    "discount",
    "cost",
    "credit",
    "fee",
    "revenue",
    "profit",
    "zip",
    "postal",
    "phone",
    "fax",
    "month",
    "day",
    "rating",
    "capacity",
    "position",
    "sequence",
    "order_line",
    "linenumber",
    "version",
    "stock",
    "level",
    "flag",
];

/// Ends of names of columns that belong to every row as such: when it was made, its checksum.
const ROW_MARKS: &[&str] = &[
    "rowguid",
    "guid",
    "gid",
    "uuid",
    "modified_date",
    "modifieddate",
    "last_update",
    "last_updated",
    "lastupdate",
    "lastupdated",
    "created",
    "created_at",
    "created_on",
    "updated",
    "updated_at",
    "updated_on",
    "timestamp",
    "hash",
    "password",
    "checksum",
];

/// Words that mark a table as a copy of another, or as its history.
const TWIN_WORDS: &[&str] = &["archive", "history", "old", "bak", "backup", "audit", "tmp", "copy", "temp"];

pub(super) fn is_id_word(word: &str) -> bool {
    ID_WORDS.contains(&word)
}

pub(super) fn is_generic(word: &str) -> bool {
    GENERIC_WORDS.contains(&word)
}

pub(super) fn is_self_role(word: &str) -> bool {
    SELF_ROLES.contains(&word)
}

pub(super) fn is_person_role(word: &str) -> bool {
    PERSON_ROLES.contains(&word)
}

pub(super) fn is_people(word: &str) -> bool {
    PEOPLE.contains(&word)
}

pub(super) fn is_supertype(word: &str) -> bool {
    SUPERTYPES.contains(&word)
}

/// True if the word marks a table as a copy or a history, or is a year of this century.
pub(super) fn is_twin_word(word: &str) -> bool {
    let is_year = word.len() == 4 && word.starts_with("20") && word.bytes().all(|byte| byte.is_ascii_digit());
    TWIN_WORDS.contains(&word) || is_year
}

/// True if the name, or one of its words, is a measure.
pub(super) fn is_measure(name: &str, words: &[String]) -> bool {
    // A short measure is the end of other words: `language` is no age, and a candidate is no date.
    const LONG: usize = 5;
    let lower = name.to_lowercase();
    let whole = lower.strip_suffix('s').unwrap_or(&lower);
    let is_glued = |measure: &&str| measure.len() >= LONG && whole.ends_with(*measure);
    // `number_of_hosts` counts hosts.
    let counts =
        matches!(words, [first, of, ..] if of == "of" && ["number", "num", "no", "count"].contains(&first.as_str()));
    counts
        || MEASURES.iter().any(is_glued)
        || (whole.ends_with("date") && !whole.ends_with("candidate"))
        || words.iter().any(|word| MEASURES.contains(&word.as_str()))
}

/// True if the name belongs to every row as such.
pub(super) fn is_row_mark(name: &str) -> bool {
    let lower = name.to_lowercase();
    ROW_MARKS.iter().any(|mark| {
        let rest = lower.strip_suffix(mark);
        rest.is_some_and(|rest| rest.is_empty() || rest.ends_with('_'))
    })
}

/// Splits a name at every character that is no letter or digit, before a capital letter, and before a digit. Each word is
/// in lower case and singular: `OrderDetails2` gives `order`, `detail` and `2`.
pub(super) fn words(name: &str) -> Vec<String> {
    let characters: Vec<char> = name.chars().collect();
    let mut words = Vec::new();
    let mut word = String::new();
    for (index, &character) in characters.iter().enumerate() {
        if !character.is_alphanumeric() {
            finish(&mut word, &mut words);
            continue;
        }
        let before = index.checked_sub(1).map(|before| characters[before]);
        let after = characters.get(index + 1);
        let begins = match before {
            Some(before) if character.is_uppercase() => {
                before.is_lowercase()
                    || before.is_ascii_digit()
                    || (before.is_uppercase() && after.is_some_and(|after| after.is_lowercase()))
            }
            Some(before) if character.is_ascii_digit() => before.is_alphabetic(),
            _ => false,
        };
        if begins {
            finish(&mut word, &mut words);
        }
        word.extend(character.to_lowercase());
    }
    finish(&mut word, &mut words);
    words
}

fn finish(word: &mut String, words: &mut Vec<String>) {
    if !word.is_empty() {
        words.push(singular(word));
        word.clear();
    }
}

/// Returns the singular of an English word. A word that is no plural stays as it is.
pub(super) fn singular(word: &str) -> String {
    const SIBILANTS: [&str; 6] = ["ss", "sh", "ch", "x", "z", "us"];
    let irregular = match word {
        "people" => Some("person"),
        "children" => Some("child"),
        "men" => Some("man"),
        "women" => Some("woman"),
        "data" => Some("datum"),
        _ => None,
    };
    if let Some(singular) = irregular {
        return singular.to_owned();
    }
    let length = word.chars().count();
    if length > 3
        && let Some(stem) = word.strip_suffix("ies")
    {
        return format!("{stem}y");
    }
    if length > 4
        && let Some(stem) = word.strip_suffix("es")
        && SIBILANTS.iter().any(|end| stem.ends_with(end))
    {
        return stem.to_owned();
    }
    match word.strip_suffix('s') {
        Some(stem) if length > 3 && !["ss", "us", "is"].iter().any(|end| word.ends_with(end)) => stem.to_owned(),
        _ => word.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_every_style_give_the_same_words() {
        let cases: [(&str, &[&str]); 9] = [
            ("order_details", &["order", "detail"]),
            ("OrderDetails", &["order", "detail"]),
            ("ORDER_DETAILS", &["order", "detail"]),
            ("HTTPServerId", &["http", "server", "id"]),
            ("Country2", &["country", "2"]),
            ("addresses", &["address"]),
            ("Cities of people", &["city", "of", "person"]),
            ("größen-klasse", &["größen", "klasse"]),
            ("status", &["status"]),
        ];
        for (name, expected) in cases {
            assert_eq!(words(name), expected, "{name}");
        }
    }

    #[test]
    fn words_of_measures_and_marks_of_rows_are_known() {
        for (name, is_one) in [("unit_price", true), ("OrderQty", true), ("customer", false), ("team_id", false)] {
            assert_eq!(is_measure(name, &words(name)), is_one, "{name}");
        }
        for (name, is_one) in [("rowguid", true), ("updated_at", true), ("created_by", false), ("ModifiedDate", true)] {
            assert_eq!(is_row_mark(name), is_one, "{name}");
        }
        assert!(is_twin_word("2019") && is_twin_word("history") && !is_twin_word("1999"));
    }
}
