//! Cuts the text of a stored SQLite definition into tokens without a copy of any of them.
//!
//! Every rule is the one of SQLite's tokenizer. A text that contains a rare character, for which a rule of its own would be
//! needed, is refused as a whole.

/// A token is a part of the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Token<'t> {
    pub(super) kind: Kind,
    /// The text without the quotes of a quoted name.
    pub(super) text: &'t str,
    /// The position of the first byte, quotes included.
    pub(super) start: usize,
    pub(super) end: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A keyword or a name.
    Word,
    /// A name in double quotes, backticks or brackets, without any such character inside it.
    Quoted,
    /// A text in single quotes, or a quoted name with a quote inside it.
    String,
    Number,
    Punctuation(u8),
}

/// Returns all tokens without white space and comments; `None` if a rule for a rare character would be needed.
pub(super) fn tokens(text: &str) -> Option<Vec<Token<'_>>> {
    let bytes = text.as_bytes();
    let mut tokens = Vec::with_capacity(bytes.len() / 5);
    let mut start = 0;
    while let Some(&first) = bytes.get(start) {
        let rest = &bytes[start..];
        let second = rest.get(1).copied();
        let (kind, length) = match first {
            b' ' | b'\t' | b'\n' | b'\r' | 0x0c => {
                start += 1;
                continue;
            }
            b'-' if second == Some(b'-') => {
                start += rest.iter().position(|&byte| byte == b'\n')?;
                continue;
            }
            b'/' if second == Some(b'*') => {
                start += 4 + rest[2..].windows(2).position(|pair| pair == b"*/")?;
                continue;
            }
            b'\'' | b'"' | b'`' => (Kind::String, quoted_length(rest, first)?),
            b'[' => (Kind::String, rest.iter().position(|&byte| byte == b']')? + 1),
            b'0'..=b'9' => (Kind::Number, number_length(rest)),
            b'.' if second.is_some_and(|byte| byte.is_ascii_digit()) => (Kind::Number, number_length(rest)),
            b'A'..=b'Z' | b'a'..=b'z' | b'_' | 0x80.. => (Kind::Word, word_length(rest)),
            b'(' | b')' | b',' | b'.' | b';' | b'+' | b'-' | b'*' | b'/' | b'%' | b'=' | b'<' | b'>' | b'!' | b'|'
            | b'&' | b'~' => (Kind::Punctuation(first), 1),
            _ => return None,
        };
        let end = start + length;
        let whole = &text[start..end];
        let (kind, inner) = match kind {
            Kind::String if first != b'\'' => match &whole[1..length - 1] {
                // SQLite removes such quotes twice.
                inner if inner.contains(['\'', '"', '`', '[', ']']) => (Kind::String, whole),
                inner => (Kind::Quoted, inner),
            },
            kind => (kind, whole),
        };
        // SQLite takes a byte order mark for white space, but only where a token begins.
        if !inner.is_ascii() && inner.contains('\u{feff}') {
            return None;
        }
        tokens.push(Token { kind, text: inner, start, end });
        start = end;
    }
    Some(tokens)
}

/// Returns the length of a quoted token. Inside it, a doubled quote is a quote character.
fn quoted_length(bytes: &[u8], quote: u8) -> Option<usize> {
    let mut end = 1;
    loop {
        end += bytes[end..].iter().position(|&byte| byte == quote)? + 1;
        if bytes.get(end) != Some(&quote) {
            return Some(end);
        }
        end += 1;
    }
}

fn word_length(bytes: &[u8]) -> usize {
    bytes.iter().position(|&byte| !is_part_of_name(byte)).unwrap_or(bytes.len())
}

/// Returns the length of a number with its fraction and exponent.
fn number_length(bytes: &[u8]) -> usize {
    let mut end = 0;
    while let Some(&byte) = bytes.get(end) {
        let is_sign_of_exponent = matches!(byte, b'+' | b'-')
            && end > 0
            && matches!(bytes[end - 1], b'e' | b'E')
            && !matches!(bytes.get(1), Some(b'x' | b'X'));
        if !is_part_of_name(byte) && byte != b'.' && !is_sign_of_exponent {
            break;
        }
        end += 1;
    }
    end
}

fn is_part_of_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$' | 0x80..)
}
