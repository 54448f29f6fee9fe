//! Blocks that are never closed and ends that close nothing. The parser accepts both without an
//! error: it closes an open block at the end of the text, and drops what follows a stray end.

use super::{Located, TemplateFault};
use crate::template::place::Place;
use gotmpl::parse::{DefineNode, ListNode, Node, Parser, Pos};

/// An action appended to a text. Its place in the parsed tree shows whether all blocks are closed.
const MARK: &str = "\n{{0}}";

const OPENING: &str = "{{";
const CLOSING: &str = "}}";

/// Where the mark is in a parsed text.
enum Found {
    /// At the end of this list.
    Here,
    /// In the innermost block that starts at this position.
    Inside(Pos),
    Nowhere,
}

/// Checks that every block of `text` is closed and every end closes one.
///
/// # Errors
/// The innermost open block, or the first stray end.
pub(in crate::template) fn check_balance(text: &str) -> Result<(), Located> {
    match find_mark(text) {
        Some(Found::Here) | None => Ok(()),
        Some(Found::Inside(pos)) => {
            Err(Located { place: Place::of(text, pos), fault: TemplateFault::Unclosed })
        }
        Some(Found::Nowhere) => Err(stray(text)),
    }
}

/// Parses the text with the mark; `None` when it does not parse.
fn find_mark(text: &str) -> Option<Found> {
    let marked = format!("{text}{MARK}");
    let (main, defines) = Parser::new(&marked, OPENING, CLOSING).ok()?.parse().ok()?;
    let found = search(&main, text.len());
    if matches!(found, Found::Here | Found::Inside(_)) {
        return Some(found);
    }
    Some(
        defines
            .iter()
            .map(|define| search_define(define, text.len()))
            .find(is_found)
            .unwrap_or(found),
    )
}

fn is_found(found: &Found) -> bool {
    !matches!(found, Found::Nowhere)
}

fn search_define(define: &DefineNode, end: usize) -> Found {
    within(define.pos, &define.body, end)
}

fn within(block: Pos, list: &ListNode, end: usize) -> Found {
    match search(list, end) {
        Found::Here => Found::Inside(block),
        found @ (Found::Inside(_) | Found::Nowhere) => found,
    }
}

/// Looks at the last node only: the mark is the last node of its list.
fn search(list: &ListNode, end: usize) -> Found {
    match list.nodes.last() {
        Some(Node::Action(action)) if action.pos.offset >= end => Found::Here,
        Some(Node::If(branch) | Node::With(branch) | Node::Range(branch)) => {
            within(branch.pos, branch.else_body.as_ref().unwrap_or(&branch.body), end)
        }
        Some(
            Node::Action(_)
            | Node::Text(_)
            | Node::List(_)
            | Node::Template(_)
            | Node::Define(_)
            | Node::Break(_)
            | Node::Continue(_),
        )
        | None => Found::Nowhere,
    }
}

/// The first `end` or `else` before which all blocks are closed.
fn stray(text: &str) -> Located {
    for (offset, _) in text.match_indices(OPENING) {
        let rest = text.get(offset + OPENING.len()..).unwrap_or_default();
        let rest = rest.strip_prefix('-').unwrap_or(rest).trim_start();
        let Some(word) = ["end", "else"].into_iter().find(|word| rest.starts_with(word)) else {
            continue;
        };
        let before = text.get(..offset).unwrap_or_default();
        if matches!(find_mark(before), Some(Found::Here)) {
            let place = Place::of_offset(text, offset);
            return Located { place, fault: TemplateFault::Stray { word: word.to_owned() } };
        }
    }
    Located { place: Place::START, fault: TemplateFault::Unclosed }
}
