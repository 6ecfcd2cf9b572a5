//! Wraps prose between words, and cuts names that only a table may shorten.

use std::collections::HashSet;

use textwrap::core::Word;
use textwrap::core::display_width;
use textwrap::wrap_algorithms::wrap_first_fit;

/// Wraps a text between words. A relation that is wider than a line breaks before `->`, and then after `(` and `,`. No other
/// name is broken, and a number stays with its noun.
pub(in crate::report) fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    for line in text.lines() {
        let words = words(line, width);
        for words in wrap_first_fit(&words, &[width as f64]) {
            let mut line: String = words.iter().map(|word| format!("{}{}", word.word, word.whitespace)).collect();
            line.truncate(line.trim_end_matches(' ').len());
            lines.push(line);
        }
    }
    lines
}

/// Splits a line into the words between which it may break.
fn words(line: &str, width: usize) -> Vec<Word<'_>> {
    let edges = edges_of_values(line);
    let mut words = Vec::new();
    let mut rest = line;
    while !rest.is_empty() {
        let mut end = 0;
        // A number stays with its noun, and a blank at the edge of a quoted value with the quotation mark.
        loop {
            end += rest[end..].find(' ').unwrap_or(rest.len() - end);
            let is_number = rest[..end].ends_with(|last: char| last.is_ascii_digit());
            if end == rest.len() || !(is_number || edges.contains(&(line.len() - rest.len() + end))) {
                break;
            }
            end += 1;
        }
        end += rest[end..].len() - rest[end..].trim_start_matches(' ').len();
        let (word, after) = rest.split_at(end);
        words.extend(parts(word, width).into_iter().map(Word::from));
        rest = after;
    }
    words
}

/// Returns the positions of blanks at the edges of quoted values, such as the first one in `' AAF'`.
fn edges_of_values(line: &str) -> HashSet<usize> {
    let mut edges = HashSet::new();
    let mut rest = 0;
    while let Some(start) = line[rest..].find('\'').map(|at| rest + at) {
        let is_in_word = line[..start].ends_with(char::is_alphanumeric);
        let inside = start + 1;
        let end = line[inside..].find('\'').map(|at| inside + at).filter(|_| !is_in_word);
        let Some(end) = end else {
            rest = inside;
            continue;
        };
        let value = &line[inside..end];
        edges.extend(inside..inside + (value.len() - value.trim_start_matches(' ').len()));
        edges.extend(inside + value.trim_end_matches(' ').len()..end);
        rest = end + 1;
    }
    edges
}

/// Splits a relation that is wider than a line. Any other word stays whole.
fn parts(word: &str, width: usize) -> Vec<&str> {
    let fits = |text: &str| display_width(text.trim_end_matches(' ')) <= width;
    let is_relation = word.contains("->") && word.contains('(') && !word.contains('\'');
    if fits(word) || !is_relation {
        return vec![word];
    }
    let arrow = word.find("->").unwrap_or(word.len());
    let (child, parent) = word.split_at(arrow);
    let halves = [child, parent].into_iter().filter(|half| !half.is_empty());
    halves.flat_map(|half| if fits(half) { vec![half] } else { half.split_inclusive(['(', ',']).collect() }).collect()
}

pub(super) fn padded(text: &str, width: usize) -> String {
    format!("{text}{}", " ".repeat(width.saturating_sub(display_width(text))))
}

/// Cuts a name that is too long, at its last `_` if it has one there.
pub(in crate::report) fn shortened(text: &str, width: usize) -> String {
    if display_width(text) <= width {
        return text.to_owned();
    }
    let mut kept = String::new();
    for character in text.chars() {
        if display_width(&kept) + 2 > width {
            break;
        }
        kept.push(character);
    }
    let end = kept.rfind('_').filter(|&end| end * 2 > kept.len()).map_or(kept.len(), |end| end + 1);
    format!("{}…", &kept[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn relation_breaks_only_where_it_must() {
        let id = "player_college(college_id,year)->college(college_id,year)";
        assert_eq!(wrapped(id, 60), [id]);
        assert_eq!(wrapped(id, 40), ["player_college(college_id,year)", "->college(college_id,year)"]);
        assert_eq!(wrapped(id, 20), ["player_college(", "college_id,year)", "->college(", "college_id,year)"]);
        assert_eq!(wrapped("error in player_college(college_id)", 20), ["error in", "player_college(college_id)"]);
    }

    #[test]
    fn number_stays_with_its_noun() {
        assert_eq!(wrapped("it refers to 4 keys that p lacks", 16), ["it refers to", "4 keys that p", "lacks"]);
        assert_eq!(wrapped("'a b' is gone, x-y stays", 14), ["'a b' is gone,", "x-y stays"]);
    }

    #[test]
    fn blank_at_the_edge_of_a_value_is_no_break() {
        assert_eq!(wrapped("keys ' AAF' and 'B C '", 8), ["keys", "' AAF'", "and 'B", "C '"]);
        assert_eq!(wrapped("'  AAF' is not 'AAF'", 10), ["'  AAF' is", "not 'AAF'"]);
        assert_eq!(wrapped("the user's own '' is 'x' too", 14), ["the user's own", "'' is 'x' too"]);
    }

    #[test]
    fn name_in_a_table_is_cut_at_an_underscore() {
        assert_eq!(shortened("logistics_employee_address", 20), "logistics_employee_…");
        assert_eq!(shortened("short", 20), "short");
    }
}
