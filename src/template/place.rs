//! A place in a template's text. The engine reports no positions when it renders, so every call
//! carries its [`Place`] as a hidden first argument.

use gotmpl::Value;
use gotmpl::parse::Pos;

/// Bits of the packed form that hold the column; the bits above hold the line.
const COLUMN_BITS: u32 = 32;

/// A line and a column, both from 1; columns count characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub line: u32,
    pub column: u32,
}

impl Place {
    /// The first character of a text: the place of errors of the whole text.
    pub(super) const START: Self = Self { line: 1, column: 1 };

    /// The place of a byte offset; past the end it is the end of the text.
    pub(super) fn of_offset(text: &str, offset: usize) -> Self {
        let before = text.get(..offset).unwrap_or(text);
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let line = before.matches('\n').count() + 1;
        let column = before.chars().count() - before.get(..line_start).map_or(0, count) + 1;
        Self { line: bounded(line), column: bounded(column) }
    }

    /// The place of a node of the syntax tree.
    pub(super) fn of(text: &str, pos: Pos) -> Self {
        Self::of_offset(text, pos.offset)
    }

    /// The form that the engine passes on as an argument.
    pub(super) fn pack(self) -> i64 {
        (i64::from(self.line) << COLUMN_BITS) | i64::from(self.column)
    }

    /// Reads the packed form; any other value gives the start of the text.
    pub(super) fn unpack(value: Option<&Value>) -> Self {
        let Some(Value::Int(packed)) = value else { return Self::START };
        let line = u32::try_from(packed >> COLUMN_BITS);
        let column = u32::try_from(packed & i64::from(u32::MAX));
        match (line, column) {
            (Ok(line), Ok(column)) => Self { line, column },
            (Err(_), _) | (_, Err(_)) => Self::START,
        }
    }
}

fn count(text: &str) -> usize {
    text.chars().count()
}

/// Saturates. Texts are bounded far below this.
fn bounded(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX >> 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_count_characters_from_one() {
        assert_eq!(Place::of_offset("é{{", 2), Place { line: 1, column: 2 });
        assert_eq!(Place::of_offset("a\nbc", 3), Place { line: 2, column: 2 });
        assert_eq!(Place::of_offset("", 0), Place::START);
    }

    #[test]
    fn packed_form_unpacks_to_itself() {
        let place = Place { line: 7, column: 42 };
        assert_eq!(Place::unpack(Some(&Value::Int(place.pack()))), place);
        assert_eq!(Place::unpack(Some(&Value::Int(-1))), Place::START);
        assert_eq!(Place::unpack(None), Place::START);
    }
}
