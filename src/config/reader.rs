//! Walks a TOML document with spans, takes the keys that its caller knows, and collects all faults.
//!
//! A step that finds a fault reports it and returns `None`; the caller continues with the rest. The callers, for
//! configurations and for rules, define which keys exist.

use std::cell::RefCell;
use std::ops::Range;
use std::ops::RangeInclusive;

use toml::de::DeArray;
use toml::de::DeInteger;
use toml::de::DeTable;
use toml::de::DeValue;

use crate::config::fault::quoted;
use crate::config::option_values::expected_count;
use crate::config::syntax;
use crate::model::configured::Fault;
use crate::model::configured::Spanned;
use crate::model::text::nearest;

/// Reads a whole document. Returns a value if there is no fault, else all faults in the order of the text.
pub(crate) fn read<T>(text: &str, read: impl FnOnce(Reader<'_, '_>) -> T) -> Result<T, Vec<Fault>> {
    let (document, damage) = syntax::parse(text);
    let faults = Faults::default();
    let value = read(Reader::new(document.get_ref(), 0..0, &faults));
    let mut found = damage.with_independent_faults(faults.present.into_inner(), faults.absent.into_inner());
    found.sort_by_key(|fault| (fault.span.start, fault.span.end));
    found.dedup();
    if found.is_empty() { Ok(value) } else { Err(found) }
}

/// The faults found so far.
#[derive(Default)]
pub(crate) struct Faults {
    present: RefCell<Vec<Fault>>,
    /// Missing keys. After a syntax fault the parser may have dropped them, so these faults may be consequences.
    absent: RefCell<Vec<Fault>>,
}

impl Faults {
    pub(crate) fn report(&self, span: Range<usize>, message: String, help: Option<String>) {
        self.present.borrow_mut().push(Fault { span, message, help });
    }
}

/// Reads one table, and reports the keys that its caller does not take.
pub(crate) struct Reader<'t, 'f> {
    table: &'t DeTable<'t>,
    /// The span of the header, or of the inline table.
    span: Range<usize>,
    /// The keys that the caller has taken.
    known: Vec<&'static str>,
    /// Keys that belong in another table, each with advice: ``("max-rows", "it belongs under `[limits]`")``.
    misplaced: Vec<(&'static str, &'static str)>,
    faults: &'f Faults,
}

impl<'t, 'f> Reader<'t, 'f> {
    fn new(table: &'t DeTable<'t>, span: Range<usize>, faults: &'f Faults) -> Reader<'t, 'f> {
        Reader { table, span, known: Vec::new(), misplaced: Vec::new(), faults }
    }

    pub(crate) fn faults(&self) -> &'f Faults {
        self.faults
    }

    /// Returns the span of the header, or of the inline table.
    pub(crate) fn span(&self) -> Range<usize> {
        self.span.clone()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.table.is_empty()
    }

    pub(crate) fn has(&self, key: &str) -> bool {
        self.table.contains_key(key)
    }

    /// Returns all entries of a table in which any key is allowed.
    pub(crate) fn all_entries(self) -> Vec<(Spanned<String>, Item<'t, 'f>)> {
        let entries = self.table.iter().map(|(key, node)| {
            let name = Spanned { value: key.get_ref().to_string(), span: key.span() };
            (name, Item { name: "values", node, faults: self.faults })
        });
        entries.collect()
    }

    /// Returns the value of a key, and marks the key as known.
    pub(crate) fn take(&mut self, key: &'static str) -> Option<Item<'t, 'f>> {
        self.known.push(key);
        self.table.get(key).map(|node| Item { name: key, node, faults: self.faults })
    }

    /// Returns the value of a required key. `example` is a whole line of TOML for the help.
    pub(crate) fn require(&mut self, key: &'static str, example: &str) -> Option<Item<'t, 'f>> {
        let item = self.take(key);
        if item.is_none() {
            self.missing(&format!("`{key}`"), example);
        }
        item
    }

    /// Reports a missing required item.
    pub(crate) fn missing(&self, item: &str, example: &str) {
        self.faults.absent.borrow_mut().push(Fault {
            span: self.span.clone(),
            message: format!("{item} is missing"),
            help: Some(format!("write, for example, `{example}`")),
        });
    }

    /// Sets the advice for keys that belong in another table.
    pub(crate) fn advise_misplaced(&mut self, keys: &[&'static str], advice: &'static str) {
        self.misplaced.extend(keys.iter().map(|key| (*key, advice)));
    }

    /// Reports the keys that the caller did not take.
    pub(crate) fn finish(self) {
        for key in self.table.keys() {
            let name: &str = key.get_ref();
            if self.known.contains(&name) {
                continue;
            }
            let known = format!("known keys: {}", self.known.join(", "));
            let advice = self.misplaced.iter().find(|(other, _)| *other == name).map(|(_, advice)| *advice);
            let help = match (advice, nearest(name, self.known.iter().copied())) {
                (Some(advice), _) => advice.to_owned(),
                (None, Some(near)) => format!("did you mean `{near}`? {known}"),
                (None, None) => known,
            };
            self.faults.report(key.span(), format!("unknown key {}", quoted(name)), Some(help));
        }
    }
}

/// A value with the key that it belongs to.
#[derive(Clone, Copy)]
pub(crate) struct Item<'t, 'f> {
    name: &'static str,
    node: &'t toml::Spanned<DeValue<'t>>,
    faults: &'f Faults,
}

impl<'t, 'f> Item<'t, 'f> {
    pub(crate) fn span(&self) -> Range<usize> {
        self.node.span()
    }

    pub(crate) fn value(&self) -> &'t DeValue<'t> {
        self.node.get_ref()
    }

    /// Reports a fault of this value. The message follows the name of the key.
    pub(crate) fn fault(&self, message: &str, help: Option<String>) {
        self.faults.report(self.span(), format!("`{}`: {message}", self.name), help);
    }

    pub(crate) fn mismatch(&self, expected: &str, help: Option<String>) {
        self.fault(&format!("expected {expected}, found {}", kind(self.value())), help);
    }

    /// Returns text that is not blank and has no NUL character, so that an engine accepts it.
    pub(crate) fn text(&self, expected: &str) -> Option<Spanned<&'t str>> {
        let DeValue::String(text) = self.value() else {
            self.mismatch(expected, None);
            return None;
        };
        if text.trim().is_empty() {
            self.fault(&format!("expected {expected}, found empty text"), None);
            return None;
        }
        if text.contains('\0') {
            self.fault("a NUL character cannot be part of a name or of SQL", None);
            return None;
        }
        Some(Spanned { value: text.as_ref(), span: self.span() })
    }

    /// Returns text as parsed by `parse`, whose error is a message.
    pub(crate) fn parsed<T>(&self, expected: &str, parse: fn(&str) -> Result<T, String>) -> Option<Spanned<T>> {
        let text = self.text(expected)?;
        match parse(text.value) {
            Ok(value) => Some(Spanned { value, span: text.span }),
            Err(message) => {
                self.fault(&format!("{} is not valid: {message}", quoted(text.value)), None);
                None
            }
        }
    }

    pub(crate) fn count(&self, allowed: &RangeInclusive<u64>) -> Option<usize> {
        let expected = expected_count(allowed);
        let DeValue::Integer(integer) = self.value() else {
            self.fault(&format!("{expected}, found {}", kind(self.value())), None);
            return None;
        };
        let number = u64::from_str_radix(integer.as_str(), integer.radix())
            .ok()
            .filter(|number| allowed.contains(number))
            .and_then(|number| usize::try_from(number).ok());
        if number.is_none() {
            self.fault(&format!("{expected}, found {}", quoted(&integer.to_string())), None);
        }
        number
    }

    pub(crate) fn whole_number(&self, written: &DeInteger<'_>) -> Option<i64> {
        let number = i64::from_str_radix(written.as_str(), written.radix()).ok();
        if number.is_none() {
            self.fault("the integer does not fit into 64 bits", None);
        }
        number
    }

    pub(crate) fn flag(&self) -> Option<bool> {
        if let DeValue::Boolean(flag) = self.value() {
            return Some(*flag);
        }
        self.mismatch("true or false", None);
        None
    }

    /// Returns a share from 0 to 1.
    pub(crate) fn share(&self) -> Option<f64> {
        let number = match self.value() {
            DeValue::Float(float) => float.as_str().parse::<f64>().ok(),
            DeValue::Integer(integer) => integer.as_str().parse::<f64>().ok(),
            _ => None,
        };
        let share = number.filter(|share| (0.0..=1.0).contains(share));
        if share.is_none() {
            self.fault("expected a share from 0 to 1, such as 0.05", None);
        }
        share
    }

    pub(crate) fn entries(&self, expected: &str) -> Option<Vec<Item<'t, 'f>>> {
        let DeValue::Array(array) = self.value() else {
            self.mismatch(expected, None);
            return None;
        };
        Some(self.items(array))
    }

    fn items(&self, array: &'t DeArray<'t>) -> Vec<Item<'t, 'f>> {
        array.iter().map(|node| Item { name: self.name, node, faults: self.faults }).collect()
    }

    pub(crate) fn table(&self, expected: &str) -> Option<Reader<'t, 'f>> {
        let DeValue::Table(table) = self.value() else {
            self.mismatch(expected, None);
            return None;
        };
        Some(Reader::new(table, self.span(), self.faults))
    }

    /// Returns the blocks under `[[name]]`.
    pub(crate) fn tables(&self) -> Vec<Reader<'t, 'f>> {
        let expected = format!("blocks under `[[{}]]`", self.name);
        let help = Some(format!("write `[[{}]]`, with two brackets, because there can be several", self.name));
        let DeValue::Array(array) = self.value() else {
            self.mismatch(&expected, help);
            return Vec::new();
        };
        self.items(array).iter().filter_map(|item| item.table(&expected)).collect()
    }
}

/// Returns the kind of a value, with its article.
pub(crate) fn kind(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "an integer",
        DeValue::Float(_) => "a float",
        DeValue::Boolean(_) => "a boolean",
        DeValue::Datetime(_) => "a date or time",
        DeValue::Array(_) => "an array",
        DeValue::Table(_) => "a table",
    }
}
