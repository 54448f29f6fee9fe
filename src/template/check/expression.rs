//! Checks of pipelines, commands and chains of names.

use super::trial::{KnownArgument, constant};
use super::{Checked, Checker, TemplateFault};
use crate::event::KeptNames;
use crate::spelling::did_you_mean;
use crate::template::functions::{argument_words, check_literal, names, refusal, signature};
use crate::template::shape::{Shape, ShapeMember};
use gotmpl::parse::{CommandNode, Expr, Number, PipeNode, Pos, SmolStr};

/// Functions that read one named entry of a map or list, by a name in their second argument.
const READERS: [&str; 3] = ["index", "get", "hasKey"];

impl<'t> Checker<'t> {
    /// The shape of a pipeline's result. Declares nothing.
    pub(super) fn pipe(&mut self, pipe: &'t PipeNode, dot: Shape) -> Checked<Shape> {
        let mut piped: Option<KnownArgument> = None;
        for command in &pipe.commands {
            let constant = match command.args.as_slice() {
                [only] if piped.is_none() => constant(only),
                _ => None,
            };
            let shape = self.command(command, dot, piped)?;
            piped = Some(KnownArgument { shape, constant });
        }
        Ok(piped.map_or(Shape::Any, |piped| piped.shape))
    }

    /// Declares or assigns the variables of a pipeline, if it has any.
    pub(super) fn declare(&mut self, pipe: &PipeNode, shapes: &[Shape]) -> Checked<()> {
        for (name, shape) in pipe.decl.iter().zip(shapes) {
            if pipe.is_assign {
                self.assign(pipe.pos, name, *shape)?;
            } else if let Some(scope) = self.scopes.last_mut() {
                scope.insert(name.clone(), *shape);
            }
        }
        Ok(())
    }

    /// A variable that gets values of different shapes can be anything from then on.
    fn assign(&mut self, pos: Pos, name: &SmolStr, shape: Shape) -> Checked<()> {
        let known = self.scopes.iter_mut().rev().find_map(|scope| scope.get_mut(name));
        match known {
            Some(known) if *known == shape => Ok(()),
            Some(known) => {
                *known = Shape::Any;
                Ok(())
            }
            None => Err(self.at(pos, TemplateFault::UndefinedVariable { name: name.to_string() })),
        }
    }

    fn command(
        &mut self,
        command: &'t CommandNode,
        dot: Shape,
        piped: Option<KnownArgument>,
    ) -> Checked<Shape> {
        self.count_node(command.pos)?;
        let Some((first, rest)) = command.args.split_first() else { return Ok(Shape::Any) };
        if let Expr::Identifier(pos, name) = first {
            return self.call(&Call { pos: *pos, name, args: rest, piped }, dot);
        }
        let mut known = Vec::with_capacity(rest.len() + 1);
        for argument in rest {
            let shape = self.expression(argument, dot)?;
            known.push(KnownArgument { shape, constant: constant(argument) });
        }
        known.extend(piped);
        let got = known.len();
        if let Expr::Nil(pos) = first {
            return Err(self.at(*pos, TemplateFault::Nil));
        }
        if let Some((base, names)) = self.chain_of(first, dot)? {
            return self.chain(first.pos(), base, names, &known);
        }
        if got > 0 {
            return Err(self.at(first.pos(), TemplateFault::NotAFunction { what: what(first) }));
        }
        self.expression(first, dot)
    }

    fn expression(&mut self, expression: &'t Expr, dot: Shape) -> Checked<Shape> {
        if let Some((base, names)) = self.chain_of(expression, dot)? {
            return self.chain(expression.pos(), base, names, &[]);
        }
        match expression {
            Expr::Dot(_) => Ok(dot),
            Expr::Variable(pos, name, _) => self.variable(*pos, name),
            Expr::Identifier(pos, name) => {
                self.call(&Call { pos: *pos, name, args: &[], piped: None }, dot)
            }
            Expr::String(..) => Ok(Shape::Text),
            Expr::Number(_, Number::Int(_)) => Ok(Shape::Integer),
            Expr::Number(_, Number::Float(_)) => Ok(Shape::Number),
            Expr::Number(pos, Number::Uint(number)) => {
                Err(self.at(*pos, TemplateFault::NumberTooLarge { number: *number }))
            }
            Expr::Bool(..) => Ok(Shape::Bool),
            Expr::Pipe(pos, pipe) => self.nested(*pos, |this| this.pipe(pipe, dot)),
            Expr::Nil(_) | Expr::Field(..) | Expr::Chain(..) => Ok(Shape::Any),
        }
    }

    /// The start and the names of an expression that reads names, `None` for any other.
    fn chain_of(
        &mut self,
        expression: &'t Expr,
        dot: Shape,
    ) -> Checked<Option<(Shape, &'t [SmolStr])>> {
        match expression {
            Expr::Field(_, names) => Ok(Some((dot, names))),
            Expr::Variable(pos, name, names) if !names.is_empty() => {
                Ok(Some((self.variable(*pos, name)?, names)))
            }
            Expr::Chain(_, base, names) => Ok(Some((self.expression(base, dot)?, names))),
            Expr::Dot(_)
            | Expr::Variable(..)
            | Expr::Identifier(..)
            | Expr::String(..)
            | Expr::Number(..)
            | Expr::Bool(..)
            | Expr::Nil(_)
            | Expr::Pipe(..) => Ok(None),
        }
    }

    fn variable(&mut self, pos: Pos, name: &SmolStr) -> Checked<Shape> {
        let known = self.scopes.iter().rev().find_map(|scope| scope.get(name)).copied();
        let undefined = || TemplateFault::UndefinedVariable { name: name.to_string() };
        known.ok_or_else(|| self.at(pos, undefined()))
    }

    /// Follows names from `shape`; the last one receives the arguments.
    fn chain(
        &mut self,
        pos: Pos,
        mut shape: Shape,
        names: &'t [SmolStr],
        arguments: &[KnownArgument],
    ) -> Checked<Shape> {
        for (index, name) in names.iter().enumerate() {
            let arguments = if index + 1 == names.len() { arguments } else { &[] };
            let owner = shape;
            shape = self.member(pos, owner, name, arguments.len())?;
            self.try_method(pos, owner, name, arguments)?;
        }
        self.note_whole(shape);
        Ok(shape)
    }

    fn member(&mut self, pos: Pos, owner: Shape, name: &str, got: usize) -> Checked<Shape> {
        let Some(member) = owner.member(name) else {
            let hint = did_you_mean(name, owner.member_names());
            let fault =
                TemplateFault::NoMember { shape: owner.as_str(), name: name.to_owned(), hint };
            return Err(self.at(pos, fault));
        };
        if is_named(owner) {
            self.note(owner, name);
        }
        let (wanted, result) = match member {
            ShapeMember::Field(shape) => (0..=0, shape),
            ShapeMember::Method { args, result } => (args, result),
        };
        if !wanted.contains(&got) {
            let wanted = argument_words(&wanted);
            return Err(
                self.at(pos, TemplateFault::ArgumentCount { name: name.to_owned(), wanted, got })
            );
        }
        Ok(result)
    }

    fn call(&mut self, call: &Call<'t>, dot: Shape) -> Checked<Shape> {
        let Call { pos, name, args, piped } = call;
        let (pos, name) = (*pos, *name);
        let Some((wanted, result)) = signature(name) else {
            return Err(self.at(pos, unknown(name)));
        };
        let got = args.len() + usize::from(piped.is_some());
        if !wanted.contains(&got) {
            let (name, wanted) = (name.to_owned(), argument_words(&wanted));
            return Err(self.at(pos, TemplateFault::ArgumentCount { name, wanted, got }));
        }
        if let Some(Expr::String(pos, literal)) = args.first() {
            check_literal(name, literal).map_err(|error| {
                self.at(*pos, TemplateFault::Argument { name: name.to_owned(), error })
            })?;
        }
        self.check_words(name, args, dot)?;
        let shapes = self.arguments(call, dot)?;
        let written = args.iter().map(constant).chain(piped.as_ref().map(|p| p.constant.clone()));
        let known: Vec<KnownArgument> = shapes
            .iter()
            .zip(written)
            .map(|(shape, constant)| KnownArgument { shape: *shape, constant })
            .collect();
        self.check_slice(pos, name, &known)?;
        self.check_printf(name, args, got)?;
        self.try_function(pos, name, &known)?;
        Ok(refined(name, &shapes).unwrap_or(result))
    }

    /// The shapes of all arguments, a piped one last.
    fn arguments(&mut self, call: &Call<'t>, dot: Shape) -> Checked<Vec<Shape>> {
        let mut shapes = Vec::with_capacity(call.args.len() + 1);
        let read_name = call.read_name();
        for (index, argument) in call.args.iter().enumerate() {
            let keep = self.keep.clone();
            let shape = self.expression(argument, dot)?;
            match read_name {
                // Reading one name does not read all of them.
                Some(name) if index == 0 && is_named(shape) => {
                    self.keep = keep;
                    self.note(shape, name);
                }
                Some(_) | None => self.note_whole(shape),
            }
            shapes.push(shape);
        }
        shapes.extend(call.piped.as_ref().map(|piped| piped.shape));
        // What a function does with a whole event is unknown.
        if shapes.contains(&Shape::Event) {
            self.keep.add_all();
        }
        Ok(shapes)
    }

    /// Notes that one entry of a map or list is read.
    fn note(&mut self, of: Shape, name: &str) {
        if let Some(names) = self.names_of(of) {
            names.add(name);
        }
    }

    /// Used as a whole: it is unknown which entries matter.
    fn note_whole(&mut self, shape: Shape) {
        if let Some(names) = self.names_of(shape) {
            names.add_all();
        }
    }

    fn names_of(&mut self, shape: Shape) -> Option<&mut KeptNames> {
        match shape {
            Shape::Params | Shape::NamedValues => Some(&mut self.keep.values),
            Shape::Labels => Some(&mut self.keep.labels),
            Shape::Annotations => Some(&mut self.keep.annotations),
            Shape::Any
            | Shape::Text
            | Shape::Bool
            | Shape::Integer
            | Shape::Number
            | Shape::Time
            | Shape::Duration
            | Shape::Event
            | Shape::Repository
            | Shape::NamedValue
            | Shape::Summary
            | Shape::Check
            | Shape::Task
            | Shape::Tasks => None,
        }
    }
}

/// A call of a function.
#[derive(Clone)]
struct Call<'t> {
    pos: Pos,
    name: &'t str,
    args: &'t [Expr],
    piped: Option<KnownArgument>,
}

impl<'t> Call<'t> {
    /// The name that a call such as `index .Params "image"` reads.
    fn read_name(&self) -> Option<&'t str> {
        match self.args {
            [_, Expr::String(_, name), ..] if READERS.contains(&self.name) => Some(name),
            _ => None,
        }
    }
}

fn is_named(shape: Shape) -> bool {
    matches!(shape, Shape::Params | Shape::NamedValues | Shape::Labels | Shape::Annotations)
}

fn unknown(name: &str) -> TemplateFault {
    match refusal(name) {
        Some(reason) => TemplateFault::RefusedFunction { name: name.to_owned(), reason },
        None => {
            let hint = did_you_mean(name, names());
            TemplateFault::UnknownFunction { name: name.to_owned(), hint }
        }
    }
}

/// What is known about the result of functions that return a part of their arguments.
fn refined(name: &str, args: &[Shape]) -> Option<Shape> {
    match (name, args) {
        ("index" | "get", [Shape::Labels | Shape::Annotations | Shape::Params, _]) => {
            Some(Shape::Text)
        }
        ("index", [Shape::NamedValues, Shape::Text]) => Some(Shape::Text),
        ("index", [Shape::NamedValues | Shape::Tasks, Shape::Integer])
        | ("first" | "last", [_]) => {
            args.first().filter(|list| is_list(**list))?.elements().map(|(_, element)| element)
        }
        ("rest" | "initial" | "reverse" | "uniq" | "compact", [list]) | ("slice", [list, ..]) => {
            Some(*list).filter(|list| is_list(*list))
        }
        ("and" | "or" | "coalesce", [first, rest @ ..]) | ("default", [first, rest @ ..]) => {
            Some(*first).filter(|first| rest.iter().all(|other| other == first))
        }
        ("ternary", [first, second, _]) => Some(*first).filter(|first| first == second),
        _ => None,
    }
}

fn is_list(shape: Shape) -> bool {
    shape == Shape::NamedValues || shape == Shape::Tasks
}

fn what(expression: &Expr) -> &'static str {
    match expression {
        Expr::Dot(_) => "`.`",
        Expr::Variable(..) => "a variable",
        Expr::String(..) => "a text",
        Expr::Number(..) => "a number",
        Expr::Bool(..) => "a truth value",
        Expr::Nil(_) => "nil",
        Expr::Pipe(..) => "a pipeline in parentheses",
        Expr::Identifier(..) | Expr::Field(..) | Expr::Chain(..) => "this",
    }
}
