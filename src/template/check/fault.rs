//! What can be wrong with a template text.

use crate::template::functions::FunctionError;
use crate::template::limits::{ELSE_MAX, NESTING_MAX, NODES_MAX, TEMPLATE_BYTES_MAX};
use crate::template::place::Place;

/// A fault and where it is.
#[derive(Debug)]
pub(in crate::template) struct Located {
    pub place: Place,
    pub fault: TemplateFault,
}

/// Why a template text is refused.
#[derive(Debug, thiserror::Error)]
pub(in crate::template) enum TemplateFault {
    #[error("the template is longer than {TEMPLATE_BYTES_MAX} bytes")]
    TooLong,
    #[error("the template has more than {ELSE_MAX} `else` branches")]
    TooManyBranches,
    #[error("the template has more than {NODES_MAX} parts, counting each call of a template")]
    TooManyNodes,
    #[error("blocks and parentheses nest more than {NESTING_MAX} deep")]
    TooDeep,
    #[error("this block has no `{{{{end}}}}`")]
    Unclosed,
    #[error("`{word}` closes no block")]
    Stray { word: String },
    #[error("template `{name}` is defined twice")]
    DefinedTwice { name: String },
    #[error("template `{name}` is not defined")]
    UndefinedTemplate { name: String },
    #[error("template `{name}` calls itself")]
    Recursive { name: String },
    #[error("`{word}` outside of `range`")]
    OutsideRange { word: &'static str },
    #[error("variable `{name}` is not declared")]
    UndefinedVariable { name: String },
    #[error("{shape} has no field or method `{name}`{hint}")]
    NoMember { shape: &'static str, name: String, hint: String },
    #[error("`{name}` takes {wanted}, not {got}")]
    ArgumentCount { name: String, wanted: String, got: usize },
    #[error("{what} takes no argument")]
    NotAFunction { what: &'static str },
    #[error("unknown function `{name}`{hint}")]
    UnknownFunction { name: String, hint: String },
    #[error("function `{name}` is refused: {reason}")]
    RefusedFunction { name: String, reason: &'static str },
    #[error("cannot range over {shape}")]
    NotIterable { shape: &'static str },
    #[error("cannot print {shape}: name one of its fields")]
    NotPrintable { shape: &'static str },
    #[error("`nil` is not a command")]
    Nil,
    #[error("the number {number} does not fit 64 bits")]
    NumberTooLarge { number: u64 },
    #[error("`.{field}` is never `{word}`: it is one of {known}{hint}")]
    UnknownWord { field: String, word: String, known: String, hint: String },
    #[error("`slice` cannot end before it starts, nor start before 0")]
    SliceOutOfOrder,
    #[error("the format of `printf` prints {wanted} of {got} arguments")]
    FormatArguments { wanted: usize, got: usize },
    #[error("`{name}`: {error}")]
    Argument { name: String, error: FunctionError },
}
