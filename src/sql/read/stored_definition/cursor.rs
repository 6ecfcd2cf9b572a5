//! A position in the tokens of a definition, and the steps over names, words, lists and expressions.

use super::lexer::Kind;
use super::lexer::Token;
use super::lexer::tokens;

pub(super) struct Cursor<'t> {
    pub(super) text: &'t str,
    pub(super) tokens: Vec<Token<'t>>,
    pub(super) next: usize,
}

impl<'t> Cursor<'t> {
    pub(super) fn new(text: &'t str) -> Option<Cursor<'t>> {
        Some(Cursor { text, tokens: tokens(text)?, next: 0 })
    }

    pub(super) fn peek(&self) -> Option<Token<'t>> {
        self.tokens.get(self.next).copied()
    }

    /// Skips an expression in parentheses. Returns the text between them.
    pub(super) fn parentheses(&mut self) -> Option<&'t str> {
        let start = self.tokens.get(self.next)?.end;
        self.expect_character(b'(')?;
        let mut depth = 1_usize;
        loop {
            let token = self.take()?;
            match token.kind {
                Kind::Punctuation(b'(') => depth += 1,
                Kind::Punctuation(b')') => depth -= 1,
                _ => {}
            }
            if depth == 0 {
                return Some(&self.text[start..token.start]);
            }
        }
    }

    /// Reads a list in parentheses.
    pub(super) fn list<T>(&mut self, item: impl Fn(&mut Self) -> Option<T>) -> Option<Vec<T>> {
        self.expect_character(b'(')?;
        let mut items = vec![item(self)?];
        while self.accept_character(b',') {
            items.push(item(self)?);
        }
        self.expect_character(b')')?;
        Some(items)
    }

    pub(super) fn name(&mut self) -> Option<&'t str> {
        self.take().filter(|token| matches!(token.kind, Kind::Word | Kind::Quoted)).map(|token| token.text)
    }

    pub(super) fn take(&mut self) -> Option<Token<'t>> {
        let token = self.tokens.get(self.next).copied();
        self.next += 1;
        token
    }

    pub(super) fn is_any(&self, words: &[&str]) -> bool {
        self.tokens.get(self.next).is_some_and(|token| {
            token.kind == Kind::Word && words.iter().any(|word| token.text.eq_ignore_ascii_case(word))
        })
    }

    pub(super) fn accept(&mut self, word: &str) -> bool {
        let found = self.is_any(&[word]);
        self.next += usize::from(found);
        found
    }

    pub(super) fn expect(&mut self, word: &str) -> Option<()> {
        self.accept(word).then_some(())
    }

    pub(super) fn is_character(&self, character: u8) -> bool {
        self.tokens.get(self.next).is_some_and(|token| token.kind == Kind::Punctuation(character))
    }

    pub(super) fn accept_character(&mut self, character: u8) -> bool {
        let found = self.is_character(character);
        self.next += usize::from(found);
        found
    }

    pub(super) fn expect_character(&mut self, character: u8) -> Option<()> {
        self.accept_character(character).then_some(())
    }

    pub(super) fn expect_end(&self) -> Option<()> {
        (self.next == self.tokens.len()).then_some(())
    }
}
