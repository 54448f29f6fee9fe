//! Which parts of a template are literals, and which depend on the data: only the latter are
//! escaped where they are printed.

use gotmpl::parse::{BranchNode, Expr, ListNode, Node, PipeNode, SmolStr};
use std::collections::{BTreeMap, BTreeSet};

/// Whether an expression has the same value whatever the data.
pub(super) fn is_constant(expression: &Expr, constants: &BTreeSet<SmolStr>) -> bool {
    match expression {
        Expr::Dot(_) | Expr::Field(..) => false,
        Expr::Variable(_, name, fields) => fields.is_empty() && constants.contains(name),
        Expr::Chain(_, base, _) => is_constant(base, constants),
        Expr::Pipe(_, pipe) => is_constant_pipe(pipe, constants),
        // Functions are pure.
        Expr::Identifier(..)
        | Expr::String(..)
        | Expr::Number(..)
        | Expr::Bool(..)
        | Expr::Nil(_) => true,
    }
}

/// The same of a pipeline.
pub(super) fn is_constant_pipe(pipe: &PipeNode, constants: &BTreeSet<SmolStr>) -> bool {
    let mut expressions = pipe.commands.iter().flat_map(|command| &command.args);
    expressions.all(|expression| is_constant(expression, constants))
}

/// The variables that get only constants, in any of the bodies.
pub(super) fn constant_variables<'t>(
    bodies: impl Iterator<Item = &'t ListNode>,
) -> BTreeSet<SmolStr> {
    let mut assigned = Assigned::default();
    bodies.for_each(|body| assigned.list(body));
    let constant = assigned.0.into_iter().filter(|(_, is_constant)| *is_constant);
    constant.map(|(name, _)| name).collect()
}

/// Variables, and whether every value they get is constant.
#[derive(Default)]
struct Assigned(BTreeMap<SmolStr, bool>);

impl Assigned {
    fn list(&mut self, list: &ListNode) {
        for node in &list.nodes {
            match node {
                Node::List(list) => self.list(list),
                Node::Action(action) => self.pipe(&action.pipe),
                Node::If(branch) | Node::With(branch) => self.branch(branch),
                Node::Range(branch) => {
                    // `range` gives its variables the elements, which are not the literal itself.
                    branch.pipe.decl.iter().for_each(|name| self.give(name, false));
                    self.branch(branch);
                }
                Node::Template(_)
                | Node::Text(_)
                | Node::Define(_)
                | Node::Break(_)
                | Node::Continue(_) => {}
            }
        }
    }

    fn branch(&mut self, branch: &BranchNode) {
        self.pipe(&branch.pipe);
        self.list(&branch.body);
        branch.else_body.iter().for_each(|list| self.list(list));
    }

    fn pipe(&mut self, pipe: &PipeNode) {
        let is_constant = is_constant_pipe(pipe, &BTreeSet::new());
        pipe.decl.iter().for_each(|name| self.give(name, is_constant));
    }

    fn give(&mut self, name: &SmolStr, is_constant: bool) {
        let known = self.0.entry(name.clone()).or_insert(true);
        *known = *known && is_constant;
    }
}
