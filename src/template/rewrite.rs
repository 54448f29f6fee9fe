//! Turns a parsed tree into one that the engine runs as Go would. Chains of names become calls that
//! know records, times and durations; every call carries its place; printing uses Go's text forms.
//! Runs after the checks, on trees that passed.

use super::constants::{is_constant, is_constant_pipe};
use super::functions::{
    FORMAT, MEMBER, PRINT, PRINT_DATA, PRINTED, SHOWN, SHOWN_DATA, WALK, is_plain_format,
};
use super::place::Place;
use gotmpl::parse::{
    ActionNode, BranchNode, CommandNode, Expr, ListNode, Node, Number, PipeNode, Pos, SmolStr,
    TemplateNode,
};
use std::collections::BTreeSet;

/// Functions whose result is printed unescaped: it holds no markup from the data.
const TRUSTED: [&str; 4] = ["raw", "IssueRef", "PRRef", "UserMention"];

/// How an action prints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Printing {
    /// Literal text of the template.
    Own,
    /// Data.
    Data,
    /// A format of the template with data in it.
    Format,
}

/// Rewrites the trees of one template text.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rewriter<'t> {
    pub text: &'t str,
    /// Variables that hold only literals of the template.
    pub constants: &'t BTreeSet<SmolStr>,
}

impl Rewriter<'_> {
    /// Rewrites the body of a template or block.
    pub(super) fn list(self, list: ListNode) -> ListNode {
        let nodes = list.nodes.into_iter().map(|node| self.node(node)).collect();
        ListNode { pos: list.pos, nodes }
    }

    fn node(self, node: Node) -> Node {
        match node {
            Node::List(list) => Node::List(self.list(list)),
            Node::Action(action) => Node::Action(self.action(action)),
            Node::If(branch) => Node::If(self.branch(branch)),
            Node::With(branch) => Node::With(self.branch(branch)),
            Node::Range(branch) => {
                let mut branch = self.branch(branch);
                branch.pipe.commands.push(self.call(branch.pos, WALK, Vec::new()));
                Node::Range(branch)
            }
            Node::Template(template) => {
                let pipe = template.pipe.map(|pipe| self.pipe(pipe));
                Node::Template(TemplateNode { pipe, ..template })
            }
            Node::Text(_) | Node::Define(_) | Node::Break(_) | Node::Continue(_) => node,
        }
    }

    fn branch(self, branch: BranchNode) -> BranchNode {
        BranchNode {
            pos: branch.pos,
            pipe: self.pipe(branch.pipe),
            body: self.list(branch.body),
            else_body: branch.else_body.map(|list| self.list(list)),
        }
    }

    /// An action without a declaration prints. Literals are printed unchanged; everything else is
    /// data.
    fn action(self, action: ActionNode) -> ActionNode {
        let pos = action.pos;
        if !action.pipe.decl.is_empty() {
            return ActionNode { pos, pipe: self.pipe(action.pipe) };
        }
        let (shown, print) = match self.printing(&action.pipe) {
            Printing::Own => (SHOWN, Some(PRINT)),
            Printing::Data => (SHOWN, Some(PRINT_DATA)),
            Printing::Format => (SHOWN_DATA, None),
        };
        let mut pipe = self.pipe_showing(action.pipe, shown);
        pipe.commands.extend(print.map(|print| self.call(pipe.pos, print, Vec::new())));
        ActionNode { pos, pipe }
    }

    fn printing(self, pipe: &PipeNode) -> Printing {
        if is_constant_pipe(pipe, self.constants) {
            return Printing::Own;
        }
        match pipe.commands.last().map(|command| command.args.as_slice()) {
            Some([Expr::Identifier(_, name), ..]) if TRUSTED.contains(&name.as_str()) => {
                Printing::Own
            }
            Some([Expr::Identifier(_, name), Expr::String(_, format), ..])
                if name == "printf" && is_plain_format(format) =>
            {
                Printing::Format
            }
            _ => Printing::Data,
        }
    }

    fn pipe(self, pipe: PipeNode) -> PipeNode {
        self.pipe_showing(pipe, SHOWN)
    }

    /// A pipeline; if it ends in `printf`, the arguments go through `shown`.
    fn pipe_showing(self, pipe: PipeNode, shown: &'static str) -> PipeNode {
        let last = pipe.commands.len().saturating_sub(1);
        let commands = pipe.commands.into_iter().enumerate();
        let commands = commands.flat_map(|(index, command)| {
            let shown = if index == last { shown } else { SHOWN };
            self.command(command, index > 0, shown)
        });
        PipeNode { commands: commands.collect(), ..pipe }
    }

    /// A command becomes one or more. `is_piped` is true if it receives the result of the previous
    /// one.
    fn command(
        self,
        command: CommandNode,
        is_piped: bool,
        shown: &'static str,
    ) -> Vec<CommandNode> {
        let pos = command.pos;
        let mut rest = command.args.into_iter();
        let Some(first) = rest.next() else { return Vec::new() };
        match first {
            Expr::Identifier(pos, name) if name == "printf" => {
                self.printf(pos, rest.collect(), is_piped, shown)
            }
            Expr::Identifier(pos, name) => vec![self.named_call(pos, name, self.all(rest))],
            Expr::Field(pos, names) => {
                vec![self.member(pos, Expr::Dot(pos), names, self.all(rest))]
            }
            Expr::Variable(pos, name, names) if !names.is_empty() => {
                let base = Expr::Variable(pos, name, Vec::new());
                vec![self.member(pos, base, names, self.all(rest))]
            }
            Expr::Chain(pos, base, names) => {
                vec![self.member(pos, self.expression(*base), names, self.all(rest))]
            }
            Expr::Dot(_)
            | Expr::Variable(..)
            | Expr::String(..)
            | Expr::Number(..)
            | Expr::Bool(..)
            | Expr::Nil(_)
            | Expr::Pipe(..) => vec![CommandNode { pos, args: vec![self.expression(first)] }],
        }
    }

    fn all(self, expressions: impl Iterator<Item = Expr>) -> Vec<Expr> {
        expressions.map(|expression| self.expression(expression)).collect()
    }

    fn expression(self, expression: Expr) -> Expr {
        match expression {
            Expr::Field(pos, names) => {
                nested(pos, vec![self.member(pos, Expr::Dot(pos), names, Vec::new())])
            }
            Expr::Variable(pos, name, names) if !names.is_empty() => {
                let base = Expr::Variable(pos, name, Vec::new());
                nested(pos, vec![self.member(pos, base, names, Vec::new())])
            }
            Expr::Chain(pos, base, names) => {
                let base = self.expression(*base);
                nested(pos, vec![self.member(pos, base, names, Vec::new())])
            }
            Expr::Identifier(pos, name) => {
                nested(pos, vec![self.named_call(pos, name, Vec::new())])
            }
            Expr::Pipe(pos, pipe) => Expr::Pipe(pos, self.pipe(pipe)),
            Expr::Dot(_)
            | Expr::Variable(..)
            | Expr::String(..)
            | Expr::Number(..)
            | Expr::Bool(..)
            | Expr::Nil(_) => expression,
        }
    }

    /// The engine runs `and` and `or`: it evaluates only as many arguments as needed.
    fn named_call(self, pos: Pos, name: SmolStr, args: Vec<Expr>) -> CommandNode {
        if name != "and" && name != "or" {
            return self.call(pos, &name, args);
        }
        let mut all = vec![Expr::Identifier(pos, name)];
        all.extend(args);
        CommandNode { pos, args: all }
    }

    /// The engine runs `printf`; checks run before and after it.
    fn printf(
        self,
        pos: Pos,
        args: Vec<Expr>,
        is_piped: bool,
        shown: &'static str,
    ) -> Vec<CommandNode> {
        let guard = |index: usize| if index == 0 { FORMAT } else { shown };
        let mut commands = Vec::new();
        if is_piped {
            commands.push(self.call(pos, guard(args.len()), Vec::new()));
        }
        let mut printed = vec![Expr::Identifier(pos, SmolStr::from("printf"))];
        for (index, arg) in args.into_iter().enumerate() {
            let arg_pos = arg.pos();
            let guard = match guard(index) {
                SHOWN_DATA if is_constant(&arg, self.constants) => SHOWN,
                guard => guard,
            };
            let checked = self.call(arg_pos, guard, vec![self.expression(arg)]);
            printed.push(nested(arg_pos, vec![checked]));
        }
        commands.push(CommandNode { pos, args: printed });
        commands.push(self.call(pos, PRINTED, Vec::new()));
        commands
    }

    /// Reads `names` in sequence; `args` go to the last.
    fn member(self, pos: Pos, base: Expr, names: Vec<SmolStr>, args: Vec<Expr>) -> CommandNode {
        let count = i64::try_from(names.len()).unwrap_or(i64::MAX);
        let mut all = vec![Expr::Number(pos, Number::Int(count)), base];
        all.extend(names.into_iter().map(|name| Expr::String(pos, name.as_str().into())));
        all.extend(args);
        self.call(pos, MEMBER, all)
    }

    fn call(self, pos: Pos, name: &str, args: Vec<Expr>) -> CommandNode {
        let place = Place::of(self.text, pos).pack();
        let mut all =
            vec![Expr::Identifier(pos, SmolStr::from(name)), Expr::Number(pos, Number::Int(place))];
        all.extend(args);
        CommandNode { pos, args: all }
    }
}

/// A pipeline of its own, in parentheses.
fn nested(pos: Pos, commands: Vec<CommandNode>) -> Expr {
    Expr::Pipe(pos, PipeNode { pos, decl: Vec::new(), commands, is_assign: false })
}
