//! Asks the questions of `fix` on the terminal. It is part of the binary.

use std::io::IsTerminal;
use std::io::Write;

use fk_doctor::internals::model::text::visible;
use fk_doctor::internals::model::text::visible_lines;
use fk_doctor::internals::run::Dialogue;
use fk_doctor::internals::run::MenuItem;
use fk_doctor::internals::run::Reply;
use inquire::InquireError;
use inquire::Select;
use inquire::Text;
use inquire::ui::Color;
use inquire::ui::RenderConfig;
use inquire::ui::StyleSheet;
use inquire::ui::Styled;
use inquire::validator::Validation;

use crate::progress;

/// The width of a title, beside which its effect stands.
const TITLE: usize = 24;

pub(crate) struct TerminalDialogue {
    color: bool,
    width: usize,
}

impl TerminalDialogue {
    pub(crate) fn new(color: bool, width: Option<usize>) -> TerminalDialogue {
        TerminalDialogue { color, width: width.unwrap_or(80) }
    }

    fn render_config(&self) -> RenderConfig<'static> {
        let config = if self.color { RenderConfig::default_colored() } else { RenderConfig::empty() };
        let strong = |text: &'static str| Styled::new(text);
        config
            .with_prompt_prefix(strong("?"))
            .with_answered_prompt_prefix(strong("?"))
            .with_highlighted_option_prefix(strong(">"))
            .with_canceled_prompt_indicator(strong("back"))
            .with_selected_option(self.color.then(|| StyleSheet::new().with_fg(Color::DarkCyan)))
    }

    /// Returns an item as a line, its effect beside its title. An item that takes something away is red.
    fn line(&self, item: &MenuItem, title: usize) -> String {
        let text = format!("{:title$}  {}", visible(&item.title), visible(&item.effect));
        // The prompt has two columns before each line.
        let text = shortened(text.trim_end(), self.width.saturating_sub(3));
        if item.takes_away && self.color { format!("\x1b[31m{text}\x1b[0m") } else { text }
    }
}

impl Dialogue for TerminalDialogue {
    fn is_possible(&self) -> bool {
        std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
    }

    fn show(&self, text: &str) {
        progress::erase();
        let text = if self.color { text.to_owned() } else { visible_lines(text).into_owned() };
        // If printing fails, the next question fails too.
        let _ = std::io::stdout().write_all(text.as_bytes()).and_then(|()| std::io::stdout().flush());
    }

    fn choose(&self, question: &str, items: &[MenuItem], first: usize) -> Reply<usize> {
        progress::erase();
        let title = items.iter().map(|item| item.title.chars().count()).max().unwrap_or(0).min(TITLE);
        let lines: Vec<String> = items.iter().map(|item| self.line(item, title)).collect();
        let titles: Vec<&str> = items.iter().map(|item| item.title.as_str()).collect();
        let shown = |option: inquire::list_option::ListOption<&String>| {
            titles.get(option.index).map(|title| visible(title).into_owned()).unwrap_or_default()
        };
        let select = Select::new(question, lines)
            .with_starting_cursor(first)
            .with_page_size(12)
            .without_filtering()
            .without_help_message()
            .with_formatter(&shown)
            .with_render_config(self.render_config());
        reply(select.raw_prompt().map(|chosen| chosen.index))
    }

    fn answer(&self, question: &str, words: &[&str]) -> Reply<usize> {
        progress::erase();
        let known: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        let hint = format!("answer {}", known.join(", "));
        let question = visible(question);
        let question =
            if words.len() > 1 { format!("{question} ({})", words.join(" / ")) } else { question.into_owned() };
        let validator = {
            let known = known.clone();
            move |text: &str| match position(&known, text) {
                Some(_) => Ok(Validation::Valid),
                None => Ok(Validation::Invalid(hint.clone().into())),
            }
        };
        let prompt = Text::new(&question).with_validator(validator).with_render_config(self.render_config());
        let answer = prompt.prompt();
        // The time of the answer is not time of the work.
        progress::erase();
        match answer {
            Ok(text) => position(&known, &text).map_or(Reply::Back, Reply::Given),
            Err(error) => reply(Err(error)),
        }
    }
}

/// Cuts a text that is too long after a word.
fn shortened(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    let kept: String = text.chars().take(width.saturating_sub(1)).collect();
    let end = kept.rfind(' ').unwrap_or(kept.len());
    format!("{}…", kept[..end].trim_end_matches([' ', ',']))
}

/// Returns the position of a typed answer. A number may be typed with separators.
fn position(known: &[String], answer: &str) -> Option<usize> {
    let answer = answer.trim().replace(',', "").to_lowercase();
    known.iter().position(|word| *word == answer)
}

fn reply(answer: Result<usize, InquireError>) -> Reply<usize> {
    match answer {
        Ok(position) => Reply::Given(position),
        Err(InquireError::OperationCanceled) => Reply::Back,
        Err(_) => Reply::Quit,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn effect_is_cut_after_a_word() {
        let text = "Add 2 rows  adds 2 rows, with only code, beside the others";
        assert_eq!(shortened(text, 58), text);
        assert_eq!(shortened(text, 57), "Add 2 rows  adds 2 rows, with only code, beside the…");
        assert_eq!(shortened(text, 40), "Add 2 rows  adds 2 rows, with only…");
    }
}
