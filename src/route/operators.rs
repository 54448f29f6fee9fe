//! Types of operators: what they yield, and which operands they can never take. An operand with a
//! type that is known only at evaluation is accepted.

use super::vocabulary::Type;
use cel::common::ast::operators as op;

/// Operators that this table knows, with the word that messages use. Index, `in` and `? :` are not
/// in the table: they need more than the types of their operands.
const OPERATORS: [(&str, &str); 16] = [
    (op::LOGICAL_AND, "&&"),
    (op::LOGICAL_OR, "||"),
    (op::LOGICAL_NOT, "!"),
    (op::NOT_STRICTLY_FALSE, "!"),
    (op::EQUALS, "=="),
    (op::NOT_EQUALS, "!="),
    (op::LESS, "<"),
    (op::LESS_EQUALS, "<="),
    (op::GREATER, ">"),
    (op::GREATER_EQUALS, ">="),
    (op::ADD, "+"),
    (op::SUBSTRACT, "-"),
    (op::MULTIPLY, "*"),
    (op::DIVIDE, "/"),
    (op::MODULO, "%"),
    (op::NEGATE, "-"),
];

const NUMBERS: [Type; 3] = [Type::Int, Type::Uint, Type::Double];

/// Types whose values have an order among themselves.
const ORDERED: [Type; 8] = [
    Type::Bool,
    Type::Int,
    Type::Uint,
    Type::Double,
    Type::Text,
    Type::Bytes,
    Type::Timestamp,
    Type::Duration,
];

fn symbol(name: &str) -> Option<&'static str> {
    OPERATORS.iter().find(|(operator, _)| *operator == name).map(|(_, symbol)| *symbol)
}

/// Whether [`result`] knows `name`.
pub(super) fn is_operator(name: &str) -> bool {
    symbol(name).is_some()
}

/// The type that operator `name` yields.
///
/// # Errors
/// The message for operands that the operator refuses whatever their values are.
pub(super) fn result(name: &str, operands: &[Type]) -> Result<Type, String> {
    let found = match (name, operands) {
        (op::LOGICAL_AND | op::LOGICAL_OR | op::LOGICAL_NOT | op::NOT_STRICTLY_FALSE, all) => {
            all.iter().all(|of| of.fits(Type::Bool)).then_some(Type::Bool)
        }
        // CEL always returns false: such a comparison is a mistake.
        (op::EQUALS | op::NOT_EQUALS, [left, right]) => {
            can_be_equal(*left, *right).then_some(Type::Bool)
        }
        (op::LESS | op::LESS_EQUALS | op::GREATER | op::GREATER_EQUALS, [left, right]) => {
            is_comparable(*left, *right).then_some(Type::Bool)
        }
        (op::NEGATE, [of]) => of.fits_any(&[Type::Int, Type::Double]).then_some(*of),
        (_, [left, right]) => arithmetic(name, *left, *right),
        (_, _) => None,
    };
    found.ok_or_else(|| {
        let given: Vec<&str> = operands.iter().map(|of| of.as_str()).collect();
        let symbol = symbol(name).unwrap_or(name);
        format!("operator {symbol} does not apply to {}", given.join(" and "))
    })
}

fn can_be_equal(left: Type, right: Type) -> bool {
    let are_numbers = NUMBERS.contains(&left) && NUMBERS.contains(&right);
    let are_maps = left.as_str() == right.as_str();
    are_numbers || are_maps || left.fits(right) || [left, right].contains(&Type::Null)
}

fn is_comparable(left: Type, right: Type) -> bool {
    let are_numbers = NUMBERS.contains(&left) && NUMBERS.contains(&right);
    are_numbers || (left.fits(right) && left.fits_any(&ORDERED) && right.fits_any(&ORDERED))
}

fn arithmetic(name: &str, left: Type, right: Type) -> Option<Type> {
    use Type::{Bytes, Double, Duration, Dyn, Int, List, Text, Timestamp, Uint};
    let rows: &[(Type, Type, Type)] = match name {
        op::ADD => &[
            (Int, Int, Int),
            (Uint, Uint, Uint),
            (Double, Double, Double),
            (Text, Text, Text),
            (Bytes, Bytes, Bytes),
            (List, List, List),
            (Duration, Duration, Duration),
            (Timestamp, Duration, Timestamp),
            (Duration, Timestamp, Timestamp),
        ],
        op::SUBSTRACT => &[
            (Int, Int, Int),
            (Uint, Uint, Uint),
            (Double, Double, Double),
            (Duration, Duration, Duration),
            (Timestamp, Timestamp, Duration),
            (Timestamp, Duration, Timestamp),
        ],
        op::MULTIPLY | op::DIVIDE => {
            &[(Int, Int, Int), (Uint, Uint, Uint), (Double, Double, Double)]
        }
        op::MODULO => &[(Int, Int, Int), (Uint, Uint, Uint)],
        _ => &[],
    };
    let mut fitting = rows.iter().filter(|row| left.fits(row.0) && right.fits(row.1));
    let (_, _, result) = fitting.next()?;
    Some(if fitting.any(|row| row.2 != *result) { Dyn } else { *result })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arithmetic_follows_the_types_of_its_operands() {
        use Type::{Bool, Duration, Dyn, Int, List, Text, Timestamp, Uint};
        let rows = [
            (op::ADD, Text, Text, Some(Text)),
            (op::ADD, Text, Dyn, Some(Text)),
            (op::ADD, Dyn, Dyn, Some(Dyn)),
            (op::ADD, Text, Int, None),
            (op::ADD, List, List, Some(List)),
            (op::ADD, Dyn, Duration, Some(Dyn)),
            (op::ADD, Timestamp, Duration, Some(Timestamp)),
            (op::ADD, Timestamp, Timestamp, None),
            (op::SUBSTRACT, Timestamp, Timestamp, Some(Duration)),
            (op::SUBSTRACT, Text, Text, None),
            (op::MULTIPLY, Int, Uint, None),
            (op::MODULO, Int, Int, Some(Int)),
            (op::MODULO, Type::Double, Type::Double, None),
            (op::LESS, Int, Type::Double, Some(Bool)),
            (op::LESS, Text, Int, None),
            (op::LESS, Dyn, Int, Some(Bool)),
            (op::LESS, List, List, None),
            (op::GREATER_EQUALS, Timestamp, Timestamp, Some(Bool)),
            (op::EQUALS, Text, Int, None),
            (op::EQUALS, Text, Type::Null, Some(Bool)),
            (op::NOT_EQUALS, Int, Uint, Some(Bool)),
            (op::EQUALS, Type::Values, Type::Map, Some(Bool)),
            (op::LOGICAL_AND, Dyn, Bool, Some(Bool)),
            (op::LOGICAL_OR, Text, Bool, None),
        ];
        for (name, left, right, expected) in rows {
            assert_eq!(result(name, &[left, right]).ok(), expected, "{left:?} {name} {right:?}");
        }
    }

    #[test]
    fn unary_operators_take_what_they_can_turn() {
        assert_eq!(result(op::NEGATE, &[Type::Int]), Ok(Type::Int));
        assert_eq!(result(op::LOGICAL_NOT, &[Type::Dyn]), Ok(Type::Bool));
        assert_eq!(
            result(op::NEGATE, &[Type::Text]),
            Err("operator - does not apply to string".to_owned())
        );
        assert_eq!(
            result(op::LOGICAL_NOT, &[Type::Int]),
            Err("operator ! does not apply to int".to_owned())
        );
    }

    #[test]
    fn index_and_choice_are_no_operators_of_this_table() {
        assert!(is_operator(op::ADD));
        assert!(!is_operator(op::INDEX) && !is_operator(op::CONDITIONAL) && !is_operator(op::IN));
    }
}
