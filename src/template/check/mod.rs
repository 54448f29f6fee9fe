//! Checks a parsed template before it is used: blocks, names, functions and sizes. A template that
//! passes can still fail on the data of a run, but not on a spelling mistake.

mod balance;
mod expression;
mod fault;
mod trial;
mod words;

pub(super) use balance::check_balance;
pub(super) use fault::{Located, TemplateFault};

use super::limits::{NESTING_MAX, NODES_MAX};
use super::place::Place;
use super::shape::Shape;
use crate::event::Keep;
use gotmpl::parse::{BranchNode, DefineNode, ListNode, Node, PipeNode, Pos, SmolStr, TemplateNode};
use std::collections::{BTreeMap, BTreeSet};

type Checked<T> = Result<T, Located>;

/// The name of the data itself, bound in every template.
const ROOT: &str = "$";

/// Checks the trees of `text` for data of the given shape, and returns what they read of params,
/// results, labels and annotations.
///
/// # Errors
/// The first fault found, in the order of execution.
pub(super) fn check(
    text: &str,
    main: &ListNode,
    defines: &[DefineNode],
    data: Shape,
) -> Checked<Keep> {
    let mut checker = Checker {
        text,
        bodies: BTreeMap::new(),
        visited: BTreeSet::new(),
        calling: Vec::new(),
        scopes: Vec::new(),
        keep: Keep::default(),
        nodes_left: NODES_MAX,
        depth: 0,
        loops: 0,
    };
    for define in defines {
        if checker.bodies.insert(&define.name, &define.body).is_some() {
            let fault = TemplateFault::DefinedTwice { name: define.name.to_string() };
            return Err(checker.at(define.pos, fault));
        }
    }
    checker.template(main, data)?;
    for define in defines {
        if !checker.visited.contains(define.name.as_str()) {
            checker.template(&define.body, Shape::Any)?;
        }
    }
    Ok(checker.keep)
}

struct Checker<'t> {
    text: &'t str,
    bodies: BTreeMap<&'t str, &'t ListNode>,
    visited: BTreeSet<&'t str>,
    /// Names of the templates that are being called.
    calling: Vec<&'t str>,
    /// Variables in sight, innermost scope last.
    scopes: Vec<BTreeMap<SmolStr, Shape>>,
    keep: Keep,
    nodes_left: usize,
    depth: usize,
    /// How many `range` bodies of this template are around the current node.
    loops: usize,
}

impl<'t> Checker<'t> {
    fn at(&self, pos: Pos, fault: TemplateFault) -> Located {
        Located { place: Place::of(self.text, pos), fault }
    }

    /// Checks a body with variables of its own, as a `template` call does.
    fn template(&mut self, body: &'t ListNode, dot: Shape) -> Checked<()> {
        let scope = BTreeMap::from([(SmolStr::from(ROOT), dot)]);
        let scopes = std::mem::replace(&mut self.scopes, vec![scope]);
        let loops = std::mem::take(&mut self.loops);
        self.list(body, dot)?;
        self.scopes = scopes;
        self.loops = loops;
        Ok(())
    }

    fn list(&mut self, list: &'t ListNode, dot: Shape) -> Checked<()> {
        list.nodes.iter().try_for_each(|node| self.node(node, dot))
    }

    fn node(&mut self, node: &'t Node, dot: Shape) -> Checked<()> {
        match node {
            Node::Text(text) => self.count_node(text.pos),
            Node::Define(_) => Ok(()),
            Node::List(list) => self.list(list, dot),
            Node::Action(action) => self.action(&action.pipe, dot),
            Node::If(branch) => self.nested(branch.pos, |this| this.branch(branch, dot, false)),
            Node::With(branch) => self.nested(branch.pos, |this| this.branch(branch, dot, true)),
            Node::Range(branch) => self.nested(branch.pos, |this| this.range(branch, dot)),
            Node::Template(call) => self.nested(call.pos, |this| this.template_call(call, dot)),
            Node::Break(pos) => self.in_loop(*pos, "break"),
            Node::Continue(pos) => self.in_loop(*pos, "continue"),
        }
    }

    fn action(&mut self, pipe: &'t PipeNode, dot: Shape) -> Checked<()> {
        self.count_node(pipe.pos)?;
        let shape = self.pipe(pipe, dot)?;
        if !pipe.decl.is_empty() {
            return self.declare(pipe, &[shape]);
        }
        if shape.is_record() {
            return Err(self.at(pipe.pos, TemplateFault::NotPrintable { shape: shape.as_str() }));
        }
        Ok(())
    }

    /// `if` and `with`; they differ in the value of `.` inside.
    fn branch(&mut self, branch: &'t BranchNode, dot: Shape, is_with: bool) -> Checked<()> {
        self.count_node(branch.pos)?;
        self.scopes.push(BTreeMap::new());
        let shape = self.pipe(&branch.pipe, dot)?;
        self.declare(&branch.pipe, &[shape])?;
        self.scoped_list(&branch.body, if is_with { shape } else { dot })?;
        self.else_list(branch, dot)?;
        self.scopes.pop();
        Ok(())
    }

    fn range(&mut self, branch: &'t BranchNode, dot: Shape) -> Checked<()> {
        self.count_node(branch.pos)?;
        let shape = self.pipe(&branch.pipe, dot)?;
        let Some((key, element)) = shape.elements() else {
            return Err(
                self.at(branch.pipe.pos, TemplateFault::NotIterable { shape: shape.as_str() })
            );
        };
        self.scopes.push(BTreeMap::new());
        match branch.pipe.decl.len() {
            0 | 1 => self.declare(&branch.pipe, &[element])?,
            _ => self.declare(&branch.pipe, &[key, element])?,
        }
        self.loops += 1;
        self.scoped_list(&branch.body, element)?;
        self.loops -= 1;
        self.scopes.pop();
        self.else_list(branch, dot)
    }

    fn else_list(&mut self, branch: &'t BranchNode, dot: Shape) -> Checked<()> {
        branch.else_body.as_ref().map_or(Ok(()), |body| self.scoped_list(body, dot))
    }

    fn scoped_list(&mut self, list: &'t ListNode, dot: Shape) -> Checked<()> {
        self.scopes.push(BTreeMap::new());
        self.list(list, dot)?;
        self.scopes.pop();
        Ok(())
    }

    fn template_call(&mut self, call: &'t TemplateNode, dot: Shape) -> Checked<()> {
        self.count_node(call.pos)?;
        let shape = match &call.pipe {
            Some(pipe) => self.pipe(pipe, dot)?,
            None => dot,
        };
        let name = call.name.as_str();
        let Some(body) = self.bodies.get(name).copied() else {
            return Err(
                self.at(call.pos, TemplateFault::UndefinedTemplate { name: name.to_owned() })
            );
        };
        if self.calling.contains(&name) {
            return Err(self.at(call.pos, TemplateFault::Recursive { name: name.to_owned() }));
        }
        self.visited.insert(name);
        self.calling.push(name);
        self.template(body, shape)?;
        self.calling.pop();
        Ok(())
    }

    fn in_loop(&mut self, pos: Pos, word: &'static str) -> Checked<()> {
        if self.loops == 0 {
            return Err(self.at(pos, TemplateFault::OutsideRange { word }));
        }
        Ok(())
    }

    fn count_node(&mut self, pos: Pos) -> Checked<()> {
        let Some(left) = self.nodes_left.checked_sub(1) else {
            return Err(self.at(pos, TemplateFault::TooManyNodes));
        };
        self.nodes_left = left;
        Ok(())
    }

    /// Runs `inner` one level deeper.
    fn nested<T>(&mut self, pos: Pos, inner: impl FnOnce(&mut Self) -> Checked<T>) -> Checked<T> {
        if self.depth >= NESTING_MAX {
            return Err(self.at(pos, TemplateFault::TooDeep));
        }
        self.depth += 1;
        let result = inner(self);
        self.depth -= 1;
        result
    }
}

#[cfg(test)]
#[path = "../check_test.rs"]
mod tests;
