//! Calls tried at load. The value of a literal is known; of other arguments at least the kind is. A
//! call that fails with these whatever the data is would fail for every event.

use super::{Checked, Checker, TemplateFault};
use crate::template::functions::{Args, FunctionError, try_call};
use crate::template::layout::format_time;
use crate::template::member::read_member;
use crate::template::shape::Shape;
use crate::template::value::{duration_value, record_value, time_value};
use gotmpl::Value;
use gotmpl::parse::{Expr, Number, PipeNode, Pos};
use std::sync::Arc;

/// 2026-11-28T09:05:06Z, and a moment that differs from it in every part.
const MOMENTS_MS: [i64; 2] = [1_795_856_706_000, 1_640_000_000_123];
const HOUR_NANOS: i64 = 3_600_000_000_000;

/// Functions whose first argument is a layout of Go.
const LAYOUT_FUNCTIONS: [&str; 3] = ["date", "dateInZone", "date_in_zone"];

/// Functions that fail because the template says so, or whose arguments are checked elsewhere.
const UNTRIED: [&str; 2] = ["fail", "required"];

/// What is known about an argument.
#[derive(Clone, Debug)]
pub(super) struct KnownArgument {
    pub shape: Shape,
    /// Its value, if the template writes it as a literal.
    pub constant: Option<Value>,
}

impl KnownArgument {
    pub(super) fn of(shape: Shape) -> Self {
        Self { shape, constant: None }
    }

    /// Whether the argument can never be of another kind.
    fn is_definite(&self) -> bool {
        self.constant.is_some()
            || !matches!(
                self.shape,
                Shape::Any | Shape::Text | Shape::Integer | Shape::Number | Shape::NamedValues
            )
    }

    /// Whether it compares with the same kinds of values as the sample. A number that the event
    /// lacks is nil, which equals no number.
    fn is_comparable(&self) -> bool {
        self.constant.is_some() || matches!(self.shape, Shape::Integer | Shape::Bool)
    }

    /// The constant, or some value of the shape.
    fn sample(&self) -> Value {
        match (&self.constant, self.shape) {
            (Some(constant), _) => constant.clone(),
            (None, Shape::Time) => time_value(MOMENTS_MS[0]),
            (None, Shape::Duration) => duration_value(HOUR_NANOS),
            (None, Shape::Bool) => Value::Bool(true),
            (None, Shape::Integer | Shape::Number) => Value::Int(1),
            (None, Shape::Labels | Shape::Annotations | Shape::Params) => {
                Value::Map(Arc::default())
            }
            (None, Shape::NamedValues | Shape::Tasks) => Value::from(Vec::<Value>::new()),
            (None, shape) if shape.is_record() => record_value([]),
            (None, _) => Value::from("1"),
        }
    }
}

/// The value of an expression of literals, including calls of functions.
pub(super) fn constant(expression: &Expr) -> Option<Value> {
    match expression {
        Expr::String(_, text) => Some(Value::from(&**text)),
        Expr::Number(_, Number::Int(number)) => Some(Value::Int(*number)),
        Expr::Number(_, Number::Float(number)) => Some(Value::Float(*number)),
        Expr::Bool(_, truth) => Some(Value::Bool(*truth)),
        Expr::Pipe(_, pipe) => constant_pipe(pipe),
        Expr::Number(..)
        | Expr::Dot(_)
        | Expr::Variable(..)
        | Expr::Identifier(..)
        | Expr::Nil(_)
        | Expr::Field(..)
        | Expr::Chain(..) => None,
    }
}

fn constant_pipe(pipe: &PipeNode) -> Option<Value> {
    let mut piped: Option<Value> = None;
    for command in &pipe.commands {
        let (first, rest) = command.args.split_first()?;
        let arguments: Option<Vec<Value>> = rest.iter().map(constant).collect();
        let mut arguments = arguments?;
        arguments.extend(piped.take());
        piped = if let Expr::Identifier(_, name) = first {
            try_call(name, &arguments)?.ok()
        } else {
            constant(first).filter(|_| arguments.is_empty())
        };
        piped.as_ref()?;
    }
    piped
}

impl Checker<'_> {
    /// Tries a call of a function with what is known about its arguments.
    pub(super) fn try_function(
        &self,
        pos: Pos,
        name: &str,
        arguments: &[KnownArgument],
    ) -> Checked<()> {
        if UNTRIED.contains(&name) {
            return Ok(());
        }
        let layout = arguments.first().and_then(|first| first.constant.as_ref());
        if LAYOUT_FUNCTIONS.contains(&name) {
            self.check_layout(pos, name, layout)?;
        }
        let values: Vec<Value> = arguments.iter().map(KnownArgument::sample).collect();
        let Some(Err(error)) = try_call(name, &values) else { return Ok(()) };
        self.blame(pos, name, error, arguments)
    }

    /// Tries a method of a time or duration with what is known about its arguments.
    pub(super) fn try_method(
        &self,
        pos: Pos,
        owner: Shape,
        name: &str,
        arguments: &[KnownArgument],
    ) -> Checked<()> {
        if !matches!(owner, Shape::Time | Shape::Duration) {
            return Ok(());
        }
        if name == "Format" {
            let layout = arguments.first().and_then(|first| first.constant.as_ref());
            self.check_layout(pos, name, layout)?;
        }
        let values: Vec<Value> = arguments.iter().map(KnownArgument::sample).collect();
        match read_member(&KnownArgument::of(owner).sample(), name, &Args::new(&values)) {
            Ok(_) => Ok(()),
            Err(error) => self.blame(pos, name, error, arguments),
        }
    }

    /// Refuses the call if no data can cause its failure.
    fn blame(
        &self,
        pos: Pos,
        name: &str,
        error: FunctionError,
        arguments: &[KnownArgument],
    ) -> Checked<()> {
        let is_written = |place: usize| arguments.get(place).is_some_and(|a| a.constant.is_some());
        let is_definite =
            |place: usize| arguments.get(place).is_some_and(KnownArgument::is_definite);
        let is_certain = match &error {
            FunctionError::WrongKind { position, .. } => is_definite(position.saturating_sub(1)),
            FunctionError::Pattern(_) => is_written(0),
            FunctionError::UnknownZone { .. } => is_written(2),
            FunctionError::BadDuration { .. } => is_written(0),
            FunctionError::DivisionByZero => arguments.iter().skip(1).any(|a| a.constant.is_some()),
            FunctionError::Incomparable { .. } => {
                arguments.iter().all(KnownArgument::is_comparable)
            }
            FunctionError::ArgumentCount { .. }
            | FunctionError::NoMember { .. }
            | FunctionError::NotIterable { .. }
            | FunctionError::OutOfRange { .. }
            | FunctionError::NotBase64
            | FunctionError::WidthTooLarge
            | FunctionError::TooManyDirectives
            | FunctionError::TextTooLong
            | FunctionError::TooManyItems
            | FunctionError::TooDeep
            | FunctionError::NoLayout { .. } => (0..arguments.len()).all(is_written),
            FunctionError::Failed { .. } => false,
        };
        if !is_certain {
            return Ok(());
        }
        Err(self.at(pos, TemplateFault::Argument { name: name.to_owned(), error }))
    }

    /// Refuses a layout without any part of a time: it gives the same text for every time.
    fn check_layout(&self, pos: Pos, name: &str, layout: Option<&Value>) -> Checked<()> {
        let Some(layout) = layout.and_then(Value::as_str) else { return Ok(()) };
        let [first, second] = MOMENTS_MS.map(|moment| format_time(moment, 0, layout));
        let has_zone = first != layout;
        if layout.is_empty() || first != second || has_zone {
            return Ok(());
        }
        let error = FunctionError::NoLayout { layout: layout.to_owned() };
        Err(self.at(pos, TemplateFault::Argument { name: name.to_owned(), error }))
    }
}
