//! Checks what a call says about the run against what a run can say: words of a closed set, parts
//! of a text that cannot exist, formats with a wrong number of arguments.

use super::trial::KnownArgument;
use super::{Checked, Checker, TemplateFault};
use crate::event::closed_words;
use crate::spelling::did_you_mean;
use crate::template::shape::Shape;
use gotmpl::parse::{Expr, Pos};

/// Functions that compare their first argument with each of the others.
const COMPARING: [&str; 2] = ["eq", "ne"];

/// Signs that change how a format counts its arguments: a width, or an argument by its number.
const COUNTED_OTHERWISE: [char; 2] = ['*', '['];

impl Checker<'_> {
    /// Refuses a comparison of a field of the event with a word that it never holds.
    pub(super) fn check_words(&self, name: &str, args: &[Expr], dot: Shape) -> Checked<()> {
        let Some((first, others)) = args.split_first() else { return Ok(()) };
        if !COMPARING.contains(&name) {
            return Ok(());
        }
        others.iter().try_for_each(|other| {
            self.check_word(first, other, dot).and_then(|()| self.check_word(other, first, dot))
        })
    }

    fn check_word(&self, field: &Expr, word: &Expr, dot: Shape) -> Checked<()> {
        let (Some(field), Expr::String(pos, word)) = (self.event_field(field, dot), word) else {
            return Ok(());
        };
        let Some(known) = closed_words(field) else { return Ok(()) };
        if known.contains(&&**word) {
            return Ok(());
        }
        let known: Vec<&str> = known.into_iter().filter(|word| !word.is_empty()).collect();
        let hint = did_you_mean(word, known.iter().copied());
        let (field, word, known) = (field.to_owned(), word.to_string(), known.join(", "));
        Err(self.at(*pos, TemplateFault::UnknownWord { field, word, known, hint }))
    }

    /// The field of the event that an expression reads, written `.Field` or `$.Field`.
    fn event_field<'e>(&self, expression: &'e Expr, dot: Shape) -> Option<&'e str> {
        match expression {
            Expr::Field(_, names) if dot == Shape::Event => only(names).map(|name| &**name),
            Expr::Variable(_, variable, names) => {
                let known = self.scopes.iter().rev().find_map(|scope| scope.get(variable));
                let is_event = known == Some(&Shape::Event);
                only(names).filter(|_| is_event).map(|name| &**name)
            }
            Expr::Field(..)
            | Expr::Dot(_)
            | Expr::Identifier(..)
            | Expr::String(..)
            | Expr::Number(..)
            | Expr::Bool(..)
            | Expr::Nil(_)
            | Expr::Pipe(..)
            | Expr::Chain(..) => None,
        }
    }

    /// Refuses a part that no text or list can have: one that starts after its own end, or before
    /// the start.
    pub(super) fn check_slice(
        &self,
        pos: Pos,
        name: &str,
        arguments: &[KnownArgument],
    ) -> Checked<()> {
        if name != "slice" {
            return Ok(());
        }
        let bounds = arguments.iter().skip(1).map(|bound| bound.constant.as_ref()?.as_int());
        let bounds: Vec<Option<i64>> = bounds.collect();
        let is_wrong = match bounds.as_slice() {
            [Some(from), Some(to), ..] => *from < 0 || to < from,
            [Some(from), ..] => *from < 0,
            [None, Some(to), ..] => *to < 0,
            [None, ..] | [] => false,
        };
        if is_wrong { Err(self.at(pos, TemplateFault::SliceOutOfOrder)) } else { Ok(()) }
    }

    /// Refuses a literal format whose number of directives differs from the number of arguments.
    pub(super) fn check_printf(&self, name: &str, args: &[Expr], got: usize) -> Checked<()> {
        let Some(Expr::String(pos, format)) = args.first() else { return Ok(()) };
        let wanted = directives(format).filter(|_| name == "printf");
        let (Some(wanted), got) = (wanted, got.saturating_sub(1)) else { return Ok(()) };
        if wanted == got {
            return Ok(());
        }
        Err(self.at(*pos, TemplateFault::FormatArguments { wanted, got }))
    }
}

/// How many arguments a format prints; `None` if a directive does not take exactly one.
fn directives(format: &str) -> Option<usize> {
    let mut count = 0;
    let mut characters = format.chars();
    while characters.any(|c| c == '%') {
        // Flags, width and precision are between the sign and its verb.
        let verb = characters.find(|c| !matches!(c, '0'..='9' | '.' | '+' | '-' | '#' | ' '));
        if verb.is_some_and(|verb| COUNTED_OTHERWISE.contains(&verb)) {
            return None;
        }
        count += usize::from(verb.is_some_and(|verb| verb != '%'));
    }
    Some(count)
}

fn only<T>(items: &[T]) -> Option<&T> {
    if let [only] = items { Some(only) } else { None }
}
