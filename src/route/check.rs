//! The static check of a rule: names, calls, operand types, depth. The evaluator would find the
//! same mistakes only when an event reaches them; here they stop the configuration. It also learns
//! which parameters and results a rule names, because only those are kept.

use super::operators;
use super::vocabulary::{
    EVENT, KINDS, REPOSITORY_FIELDS, SIGNATURES, Signature, Type, event_field,
};
use crate::event::RunState;
use cel::IdedExpr;
use cel::common::ast::operators as op;
use cel::common::ast::{
    CallExpr, ComprehensionExpr, EntryExpr, Expr, IdedEntryExpr, LiteralValue, SelectExpr,
};
use std::collections::BTreeSet;

/// Deepest tree of a rule. Written rules stay below 15. The evaluator recurses and takes up to
/// 40 KiB a level in a debug build: 1.25 MiB of the 2 MiB that a worker's stack has.
pub(super) const DEPTH_MAX: usize = 32;

/// Deepest nesting of `all`, `exists`, `map` and the like. With two, and lists as long as a rule
/// can be, a rule takes about a million steps; with three a single one could take minutes.
pub(super) const LOOP_DEPTH_MAX: usize = 2;

/// A mistake, at the node with this id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) id: u64,
    pub(super) message: String,
}

impl Fault {
    pub(super) fn new(id: u64, message: impl Into<String>) -> Self {
        Self { id, message: message.into() }
    }
}

/// Which parameters and results a rule names: only these are kept with an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Named {
    /// The rule computes a name, or uses the whole map: all must be kept.
    All,
    /// The rule names these and no other.
    Only(BTreeSet<String>),
}

impl Named {
    fn add(&mut self, name: &str) {
        match self {
            Self::All => {}
            Self::Only(names) => {
                names.insert(name.to_owned());
            }
        }
    }
}

/// What a check has found out.
#[derive(Debug)]
pub(super) struct Checked {
    pub(super) result: Type,
    pub(super) named: Named,
    /// Nodes `has(map.name)` on maps in which an absent name reads as "".
    pub(super) presence_tests: BTreeSet<u64>,
}

/// Checks a parsed rule.
///
/// # Errors
/// The first mistake in evaluation order.
pub(super) fn check(rule: &IdedExpr) -> Result<Checked, Fault> {
    let mut checker = Checker {
        scope: vec![(EVENT.to_owned(), Type::Event)],
        named: Named::Only(BTreeSet::new()),
        presence_tests: BTreeSet::new(),
        depth: 0,
        loop_depth: 0,
    };
    let result = checker.value(rule)?;
    Ok(Checked { result, named: checker.named, presence_tests: checker.presence_tests })
}

struct Checker {
    /// Variables, innermost last.
    scope: Vec<(String, Type)>,
    named: Named,
    presence_tests: BTreeSet<u64>,
    depth: usize,
    loop_depth: usize,
}

impl Checker {
    /// Infers the type of a value that goes on as a whole, so that nothing is known about which
    /// of its names are read.
    fn value(&mut self, node: &IdedExpr) -> Result<Type, Fault> {
        let of = self.place(node)?;
        if matches!(of, Type::Event | Type::Values) {
            self.named = Named::All;
        }
        Ok(of)
    }

    /// Infers the type of a value from which the caller takes one name.
    fn place(&mut self, node: &IdedExpr) -> Result<Type, Fault> {
        if self.depth == DEPTH_MAX {
            let message = format!("expression is nested deeper than {DEPTH_MAX} levels");
            return Err(Fault::new(node.id, message));
        }
        self.depth += 1;
        let of = self.node(node);
        self.depth -= 1;
        of
    }

    fn node(&mut self, node: &IdedExpr) -> Result<Type, Fault> {
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
                Err(Fault::new(node.id, message))
            }
            Expr::Unspecified => Err(Fault::new(node.id, "expression is incomplete")),
        }
    }

    fn variable(&self, id: u64, name: &str) -> Result<Type, Fault> {
        if let Some((_, of)) = self.scope.iter().rfind(|(known, _)| known == name) {
            return Ok(*of);
        }
        if KINDS.contains(&name) {
            return Ok(Type::Kind);
        }
        Err(Fault::new(id, format!("unknown name {name:?}; the one variable is {EVENT:?}")))
    }

    fn entry(&mut self, entry: &IdedEntryExpr) -> Result<(), Fault> {
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

    fn select(&mut self, id: u64, select: &SelectExpr) -> Result<Type, Fault> {
        let of = self.place(&select.operand)?;
        if !of.has_text_keys() && !of.fits(Type::Map) {
            let message = format!("{} has no field {:?}", of.as_str(), select.field);
            return Err(Fault::new(id, message));
        }
        if !select.test {
            return self.entry_of(id, of, &select.field);
        }
        // Asking for a field that no event has is the one way to name it: the answer is no.
        if of == Type::Values {
            self.named.add(&select.field);
        }
        if matches!(of, Type::Texts | Type::Values) {
            self.presence_tests.insert(id);
        }
        Ok(Type::Bool)
    }

    /// The type of the entry `name` of a map.
    fn entry_of(&mut self, id: u64, map: Type, name: &str) -> Result<Type, Fault> {
        if map == Type::Event {
            return event_field(name)
                .ok_or_else(|| Fault::new(id, format!("unknown field \"event.{name}\"")));
        }
        if map == Type::Repository && !REPOSITORY_FIELDS.contains(&name) {
            let known = REPOSITORY_FIELDS.join(", ");
            let message = format!("unknown field \"event.Repo.{name}\"; known are {known}");
            return Err(Fault::new(id, message));
        }
        if map == Type::Values {
            self.named.add(name);
        }
        Ok(if map == Type::Map || map == Type::Dyn { Type::Dyn } else { Type::Text })
    }

    fn call(&mut self, id: u64, call: &CallExpr) -> Result<Type, Fault> {
        match (call.func_name.as_str(), &call.target, call.args.as_slice()) {
            (op::INDEX, None, [map, key]) => self.index(id, map, key),
            (op::IN, None, [key, map]) => self.membership(id, key, map),
            (op::CONDITIONAL, None, [condition, yes, no]) => self.choice(condition, yes, no),
            (name, None, operands) if operators::is_operator(name) => {
                let types: Vec<Type> =
                    operands.iter().map(|operand| self.value(operand)).collect::<Result<_, _>>()?;
                operators::result(name, &types).map_err(|message| Fault::new(id, message))
            }
            (name, target, arguments) => self.function(id, name, target.as_deref(), arguments),
        }
    }

    fn index(&mut self, id: u64, map: &IdedExpr, key: &IdedExpr) -> Result<Type, Fault> {
        let of = self.place(map)?;
        if let (true, Some(name)) = (of.has_text_keys(), literal_text(key)) {
            return self.entry_of(key.id, of, name);
        }
        if matches!(of, Type::Event | Type::Values) {
            self.named = Named::All;
        }
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
            return Err(Fault::new(id, format!("{} has no entries", of.as_str())));
        };
        if !key_type.fits(wanted) {
            let (map, key) = (of.as_str(), key_type.as_str());
            return Err(Fault::new(id, format!("{map} has no entry under a key of type {key}")));
        }
        Ok(result)
    }

    fn membership(&mut self, id: u64, key: &IdedExpr, map: &IdedExpr) -> Result<Type, Fault> {
        let key_type = self.value(key)?;
        let of = self.place(map)?;
        if !of.has_text_keys() && !of.fits_any(&[Type::List, Type::Map]) {
            return Err(Fault::new(id, format!("operator in does not apply to {}", of.as_str())));
        }
        if of.has_text_keys() && !key_type.fits(Type::Text) {
            let message = format!("names are text, not {}", key_type.as_str());
            return Err(Fault::new(key.id, message));
        }
        match (of, literal_text(key)) {
            (Type::Values, Some(name)) => self.named.add(name),
            (Type::Values, None) => self.named = Named::All,
            _ => {}
        }
        Ok(Type::Bool)
    }

    fn choice(
        &mut self,
        condition: &IdedExpr,
        yes: &IdedExpr,
        no: &IdedExpr,
    ) -> Result<Type, Fault> {
        let of = self.value(condition)?;
        if !of.fits(Type::Bool) {
            let message = format!("condition of ? must be bool, is {}", of.as_str());
            return Err(Fault::new(condition.id, message));
        }
        let (yes, no) = (self.place(yes)?, self.place(no)?);
        if yes == no {
            return Ok(yes);
        }
        if [yes, no].iter().any(|branch| matches!(branch, Type::Event | Type::Values)) {
            self.named = Named::All;
        }
        Ok(Type::Dyn)
    }

    fn function(
        &mut self,
        id: u64,
        name: &str,
        target: Option<&IdedExpr>,
        arguments: &[IdedExpr],
    ) -> Result<Type, Fault> {
        let target = target.map(|target| self.value(target)).transpose()?;
        let types: Vec<Type> =
            arguments.iter().map(|argument| self.value(argument)).collect::<Result<_, _>>()?;
        let rows: Vec<&Signature> = SIGNATURES
            .iter()
            .filter(|row| row.name == name && row.target.is_some() == target.is_some())
            .collect();
        if rows.is_empty() {
            let kind = if target.is_some() { "method" } else { "function" };
            return Err(Fault::new(id, format!("unknown {kind} {name:?}")));
        }
        if !rows.iter().any(|row| row.takes(types.len())) {
            return Err(Fault::new(id, arity_message(&rows, types.len())));
        }
        let Some(row) = rows.iter().find(|row| accepts(row, target, &types)) else {
            let given: Vec<&str> = target.iter().chain(&types).map(|of| of.as_str()).collect();
            let message = format!("{name} does not apply to ({})", given.join(", "));
            return Err(Fault::new(id, message));
        };
        self.arguments(name, arguments)?;
        Ok(row.result)
    }

    /// What the arguments of some functions mean beyond their types.
    fn arguments(&mut self, name: &str, arguments: &[IdedExpr]) -> Result<(), Fault> {
        for argument in arguments {
            match (name, literal_text(argument)) {
                ("stateIn", Some(state)) if RunState::parse(state).is_none() => {
                    let known = RunState::ALL.map(RunState::as_str).join(", ");
                    let message = format!("unknown state {state:?}; known are {known}");
                    return Err(Fault::new(argument.id, message));
                }
                ("hasResult" | "resultValue", Some(result)) => self.named.add(result),
                ("hasResult" | "resultValue", None) => self.named = Named::All,
                _ => {}
            }
        }
        Ok(())
    }

    fn comprehension(&mut self, id: u64, of: &ComprehensionExpr) -> Result<Type, Fault> {
        if self.loop_depth == LOOP_DEPTH_MAX {
            let message = format!("loops are nested deeper than {LOOP_DEPTH_MAX} levels");
            return Err(Fault::new(id, message));
        }
        // The rewriting of isPR() and its like relies on `event` meaning the event everywhere.
        if of.iter_var == EVENT {
            return Err(Fault::new(id, format!("loop variable cannot be named {EVENT:?}")));
        }
        let range = self.value(&of.iter_range)?;
        let element = if range.has_text_keys() {
            Type::Text
        } else if range.fits_any(&[Type::List, Type::Map]) {
            Type::Dyn
        } else {
            let message = format!("cannot loop over {}", range.as_str());
            return Err(Fault::new(of.iter_range.id, message));
        };
        let accumulated = self.value(&of.accu_init)?;
        let outer = self.scope.len();
        self.scope.push((of.accu_var.clone(), accumulated));
        self.scope.push((of.iter_var.clone(), element));
        self.loop_depth += 1;
        self.value(&of.loop_cond)?;
        self.value(&of.loop_step)?;
        self.loop_depth -= 1;
        // The result is taken after the loop: its variable is gone, what it built is not.
        self.scope.truncate(outer + 1);
        let result = self.value(&of.result);
        self.scope.truncate(outer);
        result
    }
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

fn accepts(row: &Signature, target: Option<Type>, arguments: &[Type]) -> bool {
    let target_fits = match (row.target, target) {
        (Some(wanted), Some(of)) => of.fits_any(wanted),
        (None, None) => true,
        (Some(_), None) | (None, Some(_)) => false,
    };
    target_fits
        && row.takes(arguments.len())
        && arguments.iter().enumerate().all(|(place, of)| of.fits_any(row.argument(place)))
}

fn arity_message(rows: &[&Signature], given: usize) -> String {
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
