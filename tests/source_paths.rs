//! Reads the product code of `src/` and lists every path that each module mentions, resolved to its target.
//!
//! `layers.rs` compares the lists with the architecture. Comments, texts and everything under `#[cfg(test)]` are
//! omitted. Relative paths (`self::`, `super::super::`), nested and renamed imports and re-exports are followed.
#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::path::Path;

/// A file of product code.
pub(crate) struct Source {
    /// The file within `src/`, such as `scan/range.rs`.
    pub(crate) file: String,
    /// The path of its module, such as `crate::scan::range`.
    pub(crate) module: String,
    /// Every path that it mentions and the first line that does: `crate::model::value::Key`, `std::fs::read`.
    pub(crate) mentions: BTreeMap<String, usize>,
    /// Every macro that it calls and the first line that does.
    pub(crate) macros: BTreeMap<String, usize>,
}

/// Reads a folder of sources. `read_texts` takes them as pairs of file and text.
pub(crate) fn read(folder: &Path) -> Vec<Source> {
    let mut texts = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let file = path.strip_prefix(folder).unwrap().to_str().unwrap().replace('\\', "/");
                texts.push((file, std::fs::read_to_string(&path).unwrap()));
            }
        }
    }
    texts.sort();
    let texts: Vec<(&str, &str)> = texts.iter().map(|(file, text)| (file.as_str(), text.as_str())).collect();
    read_texts(&texts)
}

pub(crate) fn read_texts(texts: &[(&str, &str)]) -> Vec<Source> {
    let mut tests = BTreeSet::new();
    let mut files = Vec::new();
    for (file, text) in texts {
        let module = module_of(file);
        let tokens = without_tests(&tokens(text), &module, &mut tests);
        files.push((*file, module, tokens));
    }
    files.retain(|(_, module, _)| !tests.iter().any(|test: &Vec<String>| module.starts_with(test)));
    let mut modules: BTreeSet<Vec<String>> = files.iter().map(|(_, module, _)| module.clone()).collect();
    let mut imports = Imports::new();
    for (_, module, tokens) in &files {
        walk(tokens, module, |inner| modules.extend([inner.to_vec()]), |_, _, _| {});
    }
    for (_, module, tokens) in &files {
        walk(
            tokens,
            module,
            |_| {},
            |inner, path, alias| {
                if let Some(alias) = alias {
                    let names = imports.entry(inner.to_vec()).or_default();
                    names.insert(alias.to_owned(), path.iter().map(|token| token.text.clone()).collect());
                }
            },
        );
    }
    let resolver = Resolver { modules, imports };
    let source = |(file, module, tokens): &(&str, Vec<String>, Vec<Token>)| {
        let mut mentions = BTreeMap::new();
        walk(
            tokens,
            module,
            |_| {},
            |inner, path, _| {
                let names: Vec<String> = path.iter().map(|token| token.text.clone()).collect();
                for absolute in resolver.resolve(inner, &names) {
                    mentions.entry(absolute.join("::")).or_insert(path[0].line);
                }
            },
        );
        let mut macros = BTreeMap::new();
        for pair in tokens.windows(2).filter(|pair| pair[0].is_name() && pair[1].text == "!") {
            macros.entry(pair[0].text.clone()).or_insert(pair[0].line);
        }
        Source { file: (*file).to_owned(), module: module.join("::"), mentions, macros }
    };
    files.iter().map(source).collect()
}

/// Returns the path of a file's module: `scan/range.rs` is `crate::scan::range`; `lib.rs` and `main.rs` are the roots
/// of their crates.
fn module_of(file: &str) -> Vec<String> {
    let parts = file.trim_end_matches(".rs").split('/').filter(|part| *part != "mod" && *part != "lib");
    ["crate"].into_iter().chain(parts).map(str::to_owned).collect()
}

#[derive(Debug, Clone, PartialEq)]
struct Token {
    text: String,
    line: usize,
}

impl Token {
    fn is_name(&self) -> bool {
        self.text.starts_with(|letter: char| letter.is_alphabetic() || letter == '_')
    }
}

/// Returns the names and signs of a text; `::` is one sign. Comments, texts, characters, numbers and lifetimes are
/// omitted.
fn tokens(text: &str) -> Vec<Token> {
    let letters: Vec<char> = text.chars().collect();
    let at = |index: usize| letters.get(index).copied().unwrap_or('\0');
    let starts =
        |index: usize, word: &str| word.chars().enumerate().all(|(offset, letter)| at(index + offset) == letter);
    let is_of_name = |letter: char| letter.is_alphanumeric() || letter == '_';
    let (mut tokens, mut index) = (Vec::new(), 0);
    while index < letters.len() {
        let start = index;
        let mut token = None;
        if starts(index, "//") {
            while index < letters.len() && at(index) != '\n' {
                index += 1;
            }
        } else if starts(index, "/*") {
            let mut depth = 0;
            loop {
                if starts(index, "/*") {
                    (depth, index) = (depth + 1, index + 2);
                } else if starts(index, "*/") {
                    (depth, index) = (depth - 1, index + 2);
                } else {
                    index += 1;
                }
                if depth == 0 || index >= letters.len() {
                    break;
                }
            }
        } else if at(index) == '"' {
            index = after_text(&letters, index);
        } else if at(index) == '\'' {
            let is_letter = at(index + 1) == '\\' || at(index + 2) == '\'';
            index += if at(index + 1) == '\\' { 3 } else { 1 };
            while index < letters.len() && (if is_letter { at(index) != '\'' } else { is_of_name(at(index)) }) {
                index += 1;
            }
            index += usize::from(is_letter);
        } else if is_of_name(at(index)) {
            while is_of_name(at(index)) {
                index += 1;
            }
            let word: String = letters[start..index].iter().collect();
            let hashes = letters[index..].iter().take_while(|letter| **letter == '#').count();
            if ["r", "br", "cr"].contains(&word.as_str()) && at(index + hashes) == '"' {
                let end = format!("\"{}", "#".repeat(hashes));
                index += hashes + 1;
                while index < letters.len() && !starts(index, &end) {
                    index += 1;
                }
                index += end.len();
            } else if !word.starts_with(|letter: char| letter.is_numeric()) {
                token = Some(word);
            }
        } else if starts(index, "::") {
            index += 2;
            token = Some("::".to_owned());
        } else {
            index += 1;
            token = Some(at(start).to_string()).filter(|sign| !sign.trim().is_empty());
        }
        tokens.extend(token.map(|text| (text, start)));
    }
    let mut line = 1;
    let mut seen = 0;
    let with_line = |(text, start): (String, usize)| {
        line += letters[seen..start].iter().filter(|letter| **letter == '\n').count();
        seen = start;
        Token { text, line }
    };
    tokens.into_iter().map(with_line).collect()
}

fn after_text(letters: &[char], start: usize) -> usize {
    let mut index = start + 1;
    while index < letters.len() && letters[index] != '"' {
        index += if letters[index] == '\\' { 2 } else { 1 };
    }
    index + 1
}

/// Omits every item under `#[cfg(test)]` or `#[cfg(all(test, …))]`, and notes the modules among them.
fn without_tests(tokens: &[Token], module: &[String], tests: &mut BTreeSet<Vec<String>>) -> Vec<Token> {
    let text = |index: usize| tokens.get(index).map_or("", |token| token.text.as_str());
    let (mut kept, mut index) = (Vec::new(), 0);
    while index < tokens.len() {
        let opening = index + 1 + usize::from(text(index + 1) == "!");
        if text(index) != "#" || text(opening) != "[" {
            kept.push(tokens[index].clone());
            index += 1;
            continue;
        }
        let end = after_group(tokens, opening);
        let words: Vec<&str> = (opening + 1..end).map(text).collect();
        let is_test =
            words.starts_with(&["cfg", "(", "test", ")"]) || words.starts_with(&["cfg", "(", "all", "(", "test"]);
        if !is_test {
            kept.extend_from_slice(&tokens[index..end]);
            index = end;
            continue;
        }
        if text(index + 1) == "!" {
            tests.insert(module.to_vec());
        }
        index = end;
        while text(index) == "#" {
            index = after_group(tokens, index + 1);
        }
        let item = index;
        while index < tokens.len() && ![";", "{"].contains(&text(index)) {
            index = if ["(", "["].contains(&text(index)) { after_group(tokens, index) } else { index + 1 };
        }
        let is_body = text(index) == "{";
        index = if is_body { after_group(tokens, index) } else { index + 1 };
        // An import or a constant continues after its braces; a function does not.
        let is_value =
            |at: usize| ["use", "static"].contains(&text(at)) || (text(at) == "const" && text(at + 1) != "fn");
        if is_body && (item..index).take_while(|at| text(*at) != "{").any(is_value) {
            while index < tokens.len() && text(index - 1) != ";" {
                index = if ["(", "[", "{"].contains(&text(index)) { after_group(tokens, index) } else { index + 1 };
            }
        }
        if let Some(name) = (item..index).find(|at| text(*at) == "mod").filter(|at| text(at + 2) == ";") {
            tests.insert([module, &[text(name + 1).to_owned()]].concat());
        }
    }
    kept
}

/// Returns the index after the group of brackets that opens here.
fn after_group(tokens: &[Token], opening: usize) -> usize {
    let mut depth = 0;
    for (index, token) in tokens.iter().enumerate().skip(opening) {
        match token.text.as_str() {
            "(" | "[" | "{" => depth += 1,
            ")" | "]" | "}" => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return index + 1;
        }
    }
    tokens.len()
}

/// Visits every module and every path of a file: the module that contains it, the path as it is written and, for an
/// import, the imported name.
fn walk(
    tokens: &[Token],
    module: &[String],
    mut visit_module: impl FnMut(&[String]),
    mut visit_path: impl FnMut(&[String], &[Token], Option<&str>),
) {
    let text = |index: usize| tokens.get(index).map_or("", |token| token.text.as_str());
    let mut inner = vec![(module.to_vec(), 0)];
    let (mut depth, mut index) = (0, 0);
    while index < tokens.len() {
        match text(index) {
            "{" => depth += 1,
            "}" => {
                depth -= 1;
                if inner.len() > 1 && inner.last().unwrap().1 == depth {
                    inner.pop();
                }
            }
            "mod" if text(index + 2) == "{" => {
                let path = [inner.last().unwrap().0.as_slice(), &[text(index + 1).to_owned()]].concat();
                visit_module(&path);
                inner.push((path, depth));
                index += 1;
            }
            "use" => {
                let end = (index..tokens.len()).find(|at| text(*at) == ";").unwrap_or(tokens.len());
                visit_import(&tokens[index + 1..end], &[], &mut |path, alias| {
                    visit_path(&inner.last().unwrap().0, path, Some(alias));
                });
                index = end;
            }
            _ if tokens[index].is_name() && (index == 0 || !["::", "."].contains(&text(index - 1))) => {
                let mut path = vec![tokens[index].clone()];
                while text(index + 1) == "::" && tokens.get(index + 2).is_some_and(Token::is_name) {
                    path.push(tokens[index + 2].clone());
                    index += 2;
                }
                if path.len() > 1 {
                    visit_path(&inner.last().unwrap().0, &path, None);
                }
            }
            _ => {}
        }
        index += 1;
    }
}

/// Visits every path of an import such as `a::{self, b::C as D, e::*}`.
fn visit_import(tokens: &[Token], before: &[Token], visit: &mut dyn FnMut(&[Token], &str)) {
    let mut path = before.to_vec();
    for (index, token) in tokens.iter().enumerate() {
        match token.text.as_str() {
            "::" => {}
            "{" => {
                let inside = &tokens[index + 1..after_group(tokens, index) - 1];
                let mut start = 0;
                while start < inside.len() {
                    let mut end = start;
                    while end < inside.len() && inside[end].text != "," {
                        end = if inside[end].text == "{" { after_group(inside, end) } else { end + 1 };
                    }
                    visit_import(&inside[start..end], &path, visit);
                    start = end + 1;
                }
                return;
            }
            "as" => return visit(&path, &tokens[index + 1].text),
            "self" if !path.is_empty() => {}
            _ => path.push(token.clone()),
        }
    }
    if let Some(last) = path.last() {
        visit(&path, &last.text);
    }
}

type Imports = BTreeMap<Vec<String>, BTreeMap<String, Vec<String>>>;

struct Resolver {
    modules: BTreeSet<Vec<String>>,
    /// The names that each module imports, with the paths as they are written.
    imports: Imports,
}

impl Resolver {
    /// Returns the target of a module's path: the path from the root, and each path that a re-export stands for.
    fn resolve(&self, module: &[String], path: &[String]) -> Vec<Vec<String>> {
        let mut found = vec![self.absolute(module, path, 0)];
        let mut next = 0;
        while next < found.len() && next < 16 {
            let path = found[next].clone();
            for length in 1..path.len() {
                let Some(target) = self.imports.get(&path[..length]).and_then(|names| names.get(&path[length])) else {
                    continue;
                };
                let target = [self.absolute(&path[..length], target, 0).as_slice(), &path[length + 1..]].concat();
                if !found.contains(&target) {
                    found.push(target);
                }
            }
            next += 1;
        }
        found
    }

    fn absolute(&self, module: &[String], path: &[String], depth: usize) -> Vec<String> {
        let (first, rest) = path.split_first().unwrap();
        let join = |start: &[String]| [start, rest].concat();
        match first.as_str() {
            "crate" => path.to_vec(),
            // The library shows its parts to the program as `fk_doctor::internals`.
            "fk_doctor" => {
                let rest = rest.strip_prefix(&["internals".to_owned()][..]).unwrap_or(rest);
                [&["crate".to_owned()][..], rest].concat()
            }
            "self" => join(module),
            "super" => {
                let parent = &module[..module.len() - 1];
                if rest.first().is_some_and(|next| next == "super") {
                    self.absolute(parent, rest, depth)
                } else {
                    join(parent)
                }
            }
            _ => {
                // `main.rs` is the root of the program, and its modules are beside it.
                let parent = if module == ["crate", "main"] { &module[..1] } else { module };
                let child = [parent, std::slice::from_ref(first)].concat();
                let import = self.imports.get(module).and_then(|names| names.get(first));
                match import {
                    Some(import) if import != path && depth < 8 => join(&self.absolute(module, import, depth + 1)),
                    _ if self.modules.contains(&child) => join(&child),
                    _ => path.to_vec(),
                }
            }
        }
    }
}

/// Returns the paths that `crate::a::b` mentions with this text.
fn mentions(text: &str) -> Vec<String> {
    let others = [
        ("lib.rs", "mod a; mod c;"),
        ("a.rs", "mod b; pub use crate::c::Deep;"),
        ("c.rs", "pub mod d;"),
        ("c/d.rs", ""),
    ];
    let sources = read_texts(&[&others[..], &[("a/b.rs", text)]].concat());
    let source = sources.iter().find(|source| source.module == "crate::a::b");
    source.map(|source| source.mentions.keys().cloned().collect()).unwrap_or_default()
}

#[test]
fn path_is_resolved_from_its_module() {
    for (text, expected) in [
        ("use crate::c::d;", &["crate::c::d"][..]),
        ("use super::super::c;", &["crate::c"]),
        ("fn f() { super::super::c::d::g() }", &["crate::c::d::g"]),
        ("use self::x::Y;", &["crate::a::b::x::Y"]),
        (
            "use super::{\n    z,\n    super::c::{self, d::{E, F as G}},\n};",
            &["crate::a::z", "crate::c", "crate::c::d::E", "crate::c::d::F"],
        ),
        ("use crate::{\n    c::{\n        self, d as e\n    }, a\n};", &["crate::a", "crate::c", "crate::c::d"]),
        (
            "use crate::c as hidden;\nfn f() -> hidden::d::T { hidden::g() }",
            &["crate::c", "crate::c::d::T", "crate::c::g"],
        ),
        ("use std::io;\nfn f() { io::stdout(); }", &["std::io", "std::io::stdout"]),
        ("mod inner { fn f() { super::super::super::c::g(); } }", &["crate::c::g"]),
        ("mod inner {} fn f() { super::g(); }", &["crate::a::g"]),
        ("use super::Deep;", &["crate::a::Deep", "crate::c::Deep"]),
        ("fn f() { fk_doctor::c::g(); ::std::fs::read(); }", &["crate::c::g"]),
        ("fn f() { fk_doctor::internals::c::g(); }", &["crate::c::g"]),
        ("fn f() { self::g(); c::g(); }", &["c::g", "crate::a::b::g"]),
        ("fn f(x: X) { x.c::<u8>(); Vec::<u8>::new(); }", &[]),
    ] {
        assert_eq!(mentions(text), expected, "{text}");
    }
}

#[test]
fn test_code_is_not_read() {
    for text in [
        "// crate::c\n/* crate::c /* crate::c */ crate::c */",
        "const A: &str = \"crate::c \\\" crate::c\"; const B: &str = r#\"crate::c \" crate::c\"#; const C: char = '\"';",
        "#[cfg(test)]\nuse crate::c;",
        "#[cfg(test)]\n#[path = \"x\"]\nmod tests { use crate::c; }",
        "#[cfg(all(test, unix))]\nfn f() { crate::c::g(); }",
        "#[cfg(test)]\nuse crate::{c, c::d};",
        "#[cfg(test)]\nconst A: [X; 2] = [X { y: crate::c::Y }, crate::c::X];",
        "#![cfg(test)]\nuse crate::c;",
    ] {
        assert_eq!(mentions(text), [""; 0], "{text}");
    }
    for text in [
        "#[cfg(test)]\nuse crate::a;\nuse crate::c;",
        "#[cfg(test)]\nmod tests { fn f() {} }\nuse crate::c;",
        "#[cfg(test)]\nmod tests;\nuse crate::c;",
        "#[cfg(test)]\nconst A: X = X {};\nuse crate::c;",
        "#[cfg(not(test))]\nuse crate::c;",
        "#[cfg(any(test, unix))]\nuse crate::c;",
        "fn f<'a>(x: &'a str) -> char { 'a' }\nuse crate::c;",
        "const A: char = '\\'';\nuse crate::c;",
        "const A: &str = r\"\\\";\nuse crate::c;",
    ] {
        assert_eq!(mentions(text), ["crate::c"], "{text}");
    }
    let sources = read_texts(&[
        ("a.rs", "#[cfg(test)]\nmod tests;\n#[cfg(test)]\nmod inner { mod deep; }"),
        ("a/tests.rs", "use crate::c;"),
    ]);
    let files: Vec<&str> = sources.iter().map(|source| source.file.as_str()).collect();
    assert_eq!(files, ["a.rs"]);
    let program = read_texts(&[("main.rs", "mod a; fn main() { a::f(); println!(); }"), ("a.rs", "")]);
    let main = program.iter().find(|source| source.module == "crate::main").unwrap();
    assert_eq!(main.mentions.keys().collect::<Vec<_>>(), ["crate::a::f"]);
    assert_eq!(main.macros.keys().collect::<Vec<_>>(), ["println"]);
}
