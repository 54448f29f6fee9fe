//! The static check of a rule: names, calls, operand types, depth. The evaluator would find the
//! same mistakes only when an event reaches them; this check refuses them at load. It also collects
//! which params, results, labels and annotations a rule names, because only those are kept.

use super::constants::check_constant;
use super::operators;
use super::vocabulary::{
    EVENT, EVENT_FIELDS, FunctionSignature, KINDS, REPOSITORY_FIELDS, SIGNATURES, Type, event_field,
};
use super::words;
use crate::event::{Keep, KeptNames};
use crate::spelling::{closest, did_you_mean};
use cel::IdedExpr;
use cel::common::ast::operators as op;
use cel::common::ast::{
    CallExpr, ComprehensionExpr, EntryExpr, Expr, IdedEntryExpr, LiteralValue, SelectExpr,
};
use std::collections::BTreeSet;

/// Deepest tree of a rule. Written rules stay below 15. The evaluator recurses and uses up to 40
/// KiB a level in a debug build: 1.25 MiB of the 2 MiB of a worker's stack.
pub(super) const DEPTH_MAX: usize = 32;

/// Deepest nesting of `all`, `exists`, `map` and the like. With two, and lists as long as a rule
/// can hold, a rule takes about a million steps; with three it could take minutes.
pub(super) const LOOP_DEPTH_MAX: usize = 2;

/// A mistake, at the node with this id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ExpressionFault {
    pub(super) id: u64,
    pub(super) message: String,
}

impl ExpressionFault {
    pub(super) fn new(id: u64, message: impl Into<String>) -> Self {
        Self { id, message: message.into() }
    }
}

/// The results of a check.
#[derive(Debug)]
pub(super) struct Checked {
    pub(super) result: Type,
    /// The entries that the rule reads by name; all of a map if the rule computes a name or uses
    /// the map as a whole.
    pub(super) keep: Keep,
    /// Nodes `has(map.name)` on maps where an absent name reads as "".
    pub(super) presence_tests: BTreeSet<u64>,
    /// What is allowed but probably a mistake.
    pub(super) doubts: Vec<ExpressionFault>,
}

/// Checks a parsed rule.
///
/// # Errors
/// The first mistake in evaluation order.
pub(super) fn check(rule: &IdedExpr) -> Result<Checked, ExpressionFault> {
    let mut checker = Checker {
        scope: vec![Variable::new(EVENT, Type::Event)],
        keep: Keep::default(),
        presence_tests: BTreeSet::new(),
        doubts: Vec::new(),
        depth: 0,
        loop_depth: 0,
    };
    let result = checker.value(rule)?;
    let Checker { keep, presence_tests, doubts, .. } = checker;
    Ok(Checked { result, keep, presence_tests, doubts })
}

/// A variable in scope.
struct Variable {
    name: String,
    of: Type,
    /// The texts of a literal list that a loop goes over, each with its node.
    texts: Vec<(u64, String)>,
}

impl Variable {
    fn new(name: &str, of: Type) -> Self {
        Self { name: name.to_owned(), of, texts: Vec::new() }
    }
}

struct Checker {
    /// Variables, innermost last.
    scope: Vec<Variable>,
    keep: Keep,
    presence_tests: BTreeSet<u64>,
    doubts: Vec<ExpressionFault>,
    depth: usize,
    loop_depth: usize,
}

impl Checker {
    /// Infers the type of a value that is used as a whole, so that any of its names may be read.
    fn value(&mut self, node: &IdedExpr) -> Result<Type, ExpressionFault> {
        let of = self.place(node)?;
        self.note_whole(of);
        Ok(of)
    }

    /// Infers the type of a value from which the caller takes one name.
    fn place(&mut self, node: &IdedExpr) -> Result<Type, ExpressionFault> {
        if self.depth == DEPTH_MAX {
            let message = format!("expression is nested deeper than {DEPTH_MAX} levels");
            return Err(ExpressionFault::new(node.id, message));
        }
        self.depth += 1;
        let of = self.node(node);
        self.depth -= 1;
        of
    }

    fn node(&mut self, node: &IdedExpr) -> Result<Type, ExpressionFault> {
        match &node.expr {
            Expr::Literal(literal) => Ok(type_of(literal)),
            Expr::Ident(name) => self.variable(node.id, name),
            Expr::Select(select) => self.select(node.id, select),
            Expr::Call(call) => self.call(node.id, call),
            Expr::Comprehension(comprehension) => self.comprehension(node.id, comprehension),
            Expr::List(list) => {
                list.elements.iter().try_for_each(|element| self.value(element).map(drop))?;
                Ok(Type::List)
            }
            Expr::Map(map) => {
                map.entries.iter().try_for_each(|entry| self.entry(entry))?;
                Ok(Type::Map)
            }
            Expr::Struct(of) => {
                let message = format!("unknown message type {:?}", of.type_name);
                Err(ExpressionFault::new(node.id, message))
            }
            Expr::Unspecified => Err(ExpressionFault::new(node.id, "expression is incomplete")),
        }
    }

    fn known(&self, name: &str) -> Option<&Variable> {
        self.scope.iter().rfind(|known| known.name == name)
    }

    fn variable(&self, id: u64, name: &str) -> Result<Type, ExpressionFault> {
        if let Some(known) = self.known(name) {
            return Ok(known.of);
        }
        if KINDS.contains(&name) {
            return Ok(Type::Kind);
        }
        let message = format!("unknown name {name:?}; the one variable is {EVENT:?}");
        let field = closest(name, field_names()).map(|field| format!("{EVENT}.{field}"));
        let meant = closest(name, [EVENT]).map(str::to_owned).or(field);
        let hint = meant.map_or_else(String::new, |meant| format!("; did you mean {meant:?}?"));
        Err(ExpressionFault::new(id, message + &hint))
    }

    fn entry(&mut self, entry: &IdedEntryExpr) -> Result<(), ExpressionFault> {
        match &entry.expr {
            EntryExpr::MapEntry(pair) => {
                self.value(&pair.key)?;
                self.value(&pair.value)?;
            }
            EntryExpr::StructField(field) => {
                self.value(&field.value)?;
            }
        }
        Ok(())
    }

    fn select(&mut self, id: u64, select: &SelectExpr) -> Result<Type, ExpressionFault> {
        let of = self.place(&select.operand)?;
        if !of.has_text_keys() && !of.fits(Type::Map) {
            let message = format!("{} has no field {:?}", of.as_str(), select.field);
            return Err(ExpressionFault::new(id, message));
        }
        if !select.test {
            return self.entry_of(id, of, &select.field);
        }
        // `has` with a field that no event has is valid: the answer is no.
        self.note(of, &select.field);
        if matches!(of, Type::Labels | Type::Annotations | Type::Values) {
            self.presence_tests.insert(id);
        }
        Ok(Type::Bool)
    }

    /// The type of the entry `name` of a map.
    fn entry_of(&mut self, id: u64, map: Type, name: &str) -> Result<Type, ExpressionFault> {
        if map == Type::Event {
            return event_field(name).ok_or_else(|| {
                let hint = did_you_mean(name, field_names());
                ExpressionFault::new(id, format!("unknown field \"event.{name}\"{hint}"))
            });
        }
        if map == Type::Repository && !REPOSITORY_FIELDS.contains(&name) {
            let known = REPOSITORY_FIELDS.join(", ");
            let message = format!("unknown field \"event.Repo.{name}\"; known are {known}");
            return Err(ExpressionFault::new(id, message));
        }
        self.note(map, name);
        Ok(if map == Type::Map || map == Type::Dyn { Type::Dyn } else { Type::Text })
    }

    fn call(&mut self, id: u64, call: &CallExpr) -> Result<Type, ExpressionFault> {
        match (call.func_name.as_str(), &call.target, call.args.as_slice()) {
            (op::INDEX, None, [map, key]) => self.index(id, map, key),
            (op::IN, None, [key, map]) => self.membership(id, key, map),
            (op::CONDITIONAL, None, [condition, yes, no]) => self.choice(condition, yes, no),
            (name, None, operands) if operators::is_operator(name) => {
                let types: Vec<Type> =
                    operands.iter().map(|operand| self.value(operand)).collect::<Result<_, _>>()?;
                if let ([left, right], op::EQUALS | op::NOT_EQUALS) = (operands, name) {
                    self.comparison(left, right)?;
                    self.comparison(right, left)?;
                }
                operators::result(name, &types).map_err(|message| ExpressionFault::new(id, message))
            }
            (name, target, arguments) => self.function(id, name, target.as_deref(), arguments),
        }
    }

    /// Checks each text that is compared with what may be a field.
    fn comparison(&mut self, field: &IdedExpr, text: &IdedExpr) -> Result<(), ExpressionFault> {
        let texts = if let Expr::Ident(name) = &text.expr {
            self.known(name).map(|known| known.texts.clone())
        } else {
            literal_text(text).map(|word| vec![(text.id, word.to_owned())])
        };
        for (at, word) in texts.unwrap_or_default() {
            words::check_word(field, at, &word)?;
            self.doubts.extend(words::doubt(field, at, &word));
        }
        Ok(())
    }

    fn index(&mut self, id: u64, map: &IdedExpr, key: &IdedExpr) -> Result<Type, ExpressionFault> {
        let of = self.place(map)?;
        if let (true, Some(name)) = (of.has_text_keys(), literal_text(key)) {
            return self.entry_of(key.id, of, name);
        }
        self.note_whole(of);
        let key_type = self.value(key)?;
        let (wanted, result) = if of == Type::Event {
            (Type::Text, Type::Dyn)
        } else if of.has_text_keys() {
            (Type::Text, Type::Text)
        } else if of == Type::List {
            (Type::Int, Type::Dyn)
        } else if of.fits(Type::Map) {
            (Type::Dyn, Type::Dyn)
        } else {
            return Err(ExpressionFault::new(id, format!("{} has no entries", of.as_str())));
        };
        if !key_type.fits(wanted) {
            let (map, key) = (of.as_str(), key_type.as_str());
            return Err(ExpressionFault::new(
                id,
                format!("{map} has no entry under a key of type {key}"),
            ));
        }
        Ok(result)
    }

    fn membership(
        &mut self,
        id: u64,
        key: &IdedExpr,
        map: &IdedExpr,
    ) -> Result<Type, ExpressionFault> {
        let key_type = self.value(key)?;
        let of = self.place(map)?;
        if let Expr::List(list) = &map.expr {
            list.elements.iter().try_for_each(|word| self.comparison(key, word))?;
        }
        if !of.has_text_keys() && !of.fits_any(&[Type::List, Type::Map]) {
            return Err(ExpressionFault::new(
                id,
                format!("operator in does not apply to {}", of.as_str()),
            ));
        }
        if of.has_text_keys() && !key_type.fits(Type::Text) {
            let message = format!("names are text, not {}", key_type.as_str());
            return Err(ExpressionFault::new(key.id, message));
        }
        match literal_text(key) {
            Some(name) => self.note(of, name),
            None if of == Type::Event => {}
            None => self.note_whole(of),
        }
        Ok(Type::Bool)
    }

    fn choice(
        &mut self,
        condition: &IdedExpr,
        yes: &IdedExpr,
        no: &IdedExpr,
    ) -> Result<Type, ExpressionFault> {
        let of = self.value(condition)?;
        if !of.fits(Type::Bool) {
            let message = format!("condition of ? must be bool, is {}", of.as_str());
            return Err(ExpressionFault::new(condition.id, message));
        }
        let (yes, no) = (self.place(yes)?, self.place(no)?);
        if yes == no {
            return Ok(yes);
        }
        self.note_whole(yes);
        self.note_whole(no);
        Ok(Type::Dyn)
    }

    fn function(
        &mut self,
        id: u64,
        name: &str,
        target: Option<&IdedExpr>,
        arguments: &[IdedExpr],
    ) -> Result<Type, ExpressionFault> {
        let subject = target;
        let target = target.map(|target| self.value(target)).transpose()?;
        let types: Vec<Type> =
            arguments.iter().map(|argument| self.value(argument)).collect::<Result<_, _>>()?;
        let rows: Vec<&FunctionSignature> = SIGNATURES
            .iter()
            .filter(|row| row.name == name && row.target.is_some() == target.is_some())
            .collect();
        if rows.is_empty() {
            let kind = if target.is_some() { "method" } else { "function" };
            let of_kind = SIGNATURES.iter().filter(|row| row.target.is_some() == target.is_some());
            let hint = did_you_mean(name, of_kind.map(|row| row.name));
            return Err(ExpressionFault::new(id, format!("unknown {kind} {name:?}{hint}")));
        }
        if !rows.iter().any(|row| row.takes(types.len())) {
            return Err(ExpressionFault::new(id, arity_message(&rows, types.len())));
        }
        let Some(row) = rows.iter().find(|row| accepts(row, target, &types)) else {
            let given: Vec<&str> = target.iter().chain(&types).map(|of| of.as_str()).collect();
            let message = format!("{name} does not apply to ({})", given.join(", "));
            return Err(ExpressionFault::new(id, message));
        };
        let operands: Vec<&IdedExpr> = subject.into_iter().chain(arguments).collect();
        if let ("matches", [field, pattern]) = (name, operands.as_slice())
            && let Some(text) = literal_text(pattern)
        {
            words::check_pattern(field, pattern.id, text)?;
        }
        self.arguments(name, arguments)?;
        Ok(row.result)
    }

    /// Checks of arguments beyond their types, for some functions.
    fn arguments(&mut self, name: &str, arguments: &[IdedExpr]) -> Result<(), ExpressionFault> {
        for argument in arguments {
            match (name, literal_text(argument)) {
                ("stateIn", Some(state)) => words::check_state(argument.id, state)?,
                ("hasResult" | "resultValue", Some(result)) => self.keep.values.add(result),
                ("hasResult" | "resultValue", None) => self.keep.values.add_all(),
                (_, Some(text)) => {
                    check_constant(name, text)
                        .map_err(|message| ExpressionFault::new(argument.id, message))?;
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Notes that one entry of a map is read.
    fn note(&mut self, map: Type, name: &str) {
        if let Some(names) = self.names_of(map) {
            names.add(name);
        }
    }

    /// Notes that any entry of a value may be read.
    fn note_whole(&mut self, of: Type) {
        if of == Type::Event {
            self.keep.add_all();
        }
        if let Some(names) = self.names_of(of) {
            names.add_all();
        }
    }

    fn names_of(&mut self, map: Type) -> Option<&mut KeptNames> {
        [
            (Type::Values, &mut self.keep.values),
            (Type::Labels, &mut self.keep.labels),
            (Type::Annotations, &mut self.keep.annotations),
        ]
        .into_iter()
        .find_map(|(of, names)| (of == map).then_some(names))
    }

    fn comprehension(&mut self, id: u64, of: &ComprehensionExpr) -> Result<Type, ExpressionFault> {
        if self.loop_depth == LOOP_DEPTH_MAX {
            let message = format!("loops are nested deeper than {LOOP_DEPTH_MAX} levels");
            return Err(ExpressionFault::new(id, message));
        }
        // The rewriting of isPR() and similar functions needs `event` to mean the event everywhere.
        if of.iter_var == EVENT {
            return Err(ExpressionFault::new(
                id,
                format!("loop variable cannot be named {EVENT:?}"),
            ));
        }
        let range = self.value(&of.iter_range)?;
        let element = if range.has_text_keys() {
            Type::Text
        } else if range.fits_any(&[Type::List, Type::Map]) {
            Type::Dyn
        } else {
            let message = format!("cannot loop over {}", range.as_str());
            return Err(ExpressionFault::new(of.iter_range.id, message));
        };
        let accumulated = self.value(&of.accu_init)?;
        let outer = self.scope.len();
        self.scope.push(Variable::new(&of.accu_var, accumulated));
        let texts = literal_texts(&of.iter_range);
        self.scope.push(Variable { texts, ..Variable::new(&of.iter_var, element) });
        self.loop_depth += 1;
        self.value(&of.loop_cond)?;
        self.value(&of.loop_step)?;
        self.loop_depth -= 1;
        // The result is computed after the loop: the loop variable is out of scope, the accumulator
        // is not.
        self.scope.truncate(outer + 1);
        let result = self.value(&of.result);
        self.scope.truncate(outer);
        result
    }
}

fn field_names() -> impl Iterator<Item = &'static str> {
    EVENT_FIELDS.iter().map(|(name, _)| *name)
}

fn type_of(literal: &LiteralValue) -> Type {
    match literal {
        LiteralValue::Boolean(_) => Type::Bool,
        LiteralValue::Bytes(_) => Type::Bytes,
        LiteralValue::Double(_) => Type::Double,
        LiteralValue::Int(_) => Type::Int,
        LiteralValue::Null => Type::Null,
        LiteralValue::String(_) => Type::Text,
        LiteralValue::UInt(_) => Type::Uint,
    }
}

/// The text of a node that is a literal text.
pub(super) fn literal_text(node: &IdedExpr) -> Option<&str> {
    let Expr::Literal(LiteralValue::String(text)) = &node.expr else { return None };
    Some(text.inner())
}

/// The texts of a literal list, each with its node.
fn literal_texts(node: &IdedExpr) -> Vec<(u64, String)> {
    let Expr::List(list) = &node.expr else { return Vec::new() };
    let texts = list.elements.iter().filter_map(|node| Some((node.id, literal_text(node)?)));
    texts.map(|(id, text)| (id, text.to_owned())).collect()
}

fn accepts(row: &FunctionSignature, target: Option<Type>, arguments: &[Type]) -> bool {
    let target_fits = match (row.target, target) {
        (Some(wanted), Some(of)) => of.fits_any(wanted),
        (None, None) => true,
        (Some(_), None) | (None, Some(_)) => false,
    };
    target_fits
        && row.takes(arguments.len())
        && arguments.iter().enumerate().all(|(place, of)| of.fits_any(row.argument(place)))
}

fn arity_message(rows: &[&FunctionSignature], given: usize) -> String {
    let mut counts: Vec<String> = rows
        .iter()
        .map(|row| match (row.is_variadic, row.arguments.len()) {
            (true, least) => format!("at least {least}"),
            (false, 0) => "no".to_owned(),
            (false, count) => count.to_string(),
        })
        .collect();
    counts.dedup();
    let name = rows.first().map_or("", |row| row.name);
    format!("{name} takes {} argument(s), {given} given", counts.join(" or "))
}

#[cfg(test)]
#[path = "check_test.rs"]
mod tests;
