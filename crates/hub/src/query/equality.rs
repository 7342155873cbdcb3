//! What an index could answer of a condition. Refuses to know which indexes there are.

use super::expression::{Comparison, Constant, Expression, Membership};
use super::path::Path;

/// The value at a path equals one of the constants, as far as the language says equal: `1` and
/// `1.0` are, texts differ by case, and a moment of the document equals each text that says it.
/// None of the constants is null or undefined.
#[derive(Debug, Clone)]
pub struct Equality<'e> {
    /// Where.
    pub path: &'e Path,
    /// What; a value that is none of them is not selected.
    pub any_of: Vec<&'e Constant>,
}

/// The equalities that all have to hold: of `AND`, each side; of `OR`, those of one path on all
/// sides together.
pub(super) fn equalities(condition: Option<&Expression>) -> Vec<Equality<'_>> {
    let mut found = Vec::new();
    if let Some(condition) = condition {
        gather(condition, &mut found);
    }
    found
}

fn gather<'e>(expression: &'e Expression, found: &mut Vec<Equality<'e>>) {
    match expression {
        Expression::All(all) => all.iter().for_each(|one| gather(one, found)),
        Expression::Any(any) => found.extend(of_one_path(any)),
        Expression::Compare(sides) => {
            let pair = match &**sides {
                (Expression::Path(path), Comparison::Equal, Expression::Constant(constant))
                | (Expression::Constant(constant), Comparison::Equal, Expression::Path(path)) => {
                    (path, constant)
                }
                _ => return,
            };
            found.extend(equality(pair.0, std::slice::from_ref(pair.1)));
        }
        Expression::Member(one, Membership::In, constants) => {
            if let Expression::Path(path) = &**one {
                found.extend(equality(path, constants));
            }
        }
        _ => {}
    }
}

/// Sides that each have just one equality, all of the same path.
fn of_one_path(any: &[Expression]) -> Option<Equality<'_>> {
    let mut joined: Option<Equality<'_>> = None;
    for side in any {
        let mut found = Vec::new();
        gather(side, &mut found);
        let path = joined.as_ref().map(|equality| equality.path);
        let same = |equality: &Equality<'_>| path.is_none_or(|path| path == equality.path);
        let one = found.into_iter().find(same)?;
        match &mut joined {
            Some(joined) => joined.any_of.extend(one.any_of),
            None => joined = Some(one),
        }
    }
    joined
}

fn equality<'e>(path: &'e Path, constants: &'e [Constant]) -> Option<Equality<'e>> {
    if constants.iter().any(|constant| matches!(constant, Constant::Null)) {
        return None;
    }
    let any_of = constants.iter().filter(|c| !matches!(c, Constant::Undefined)).collect();
    Some(Equality { path, any_of })
}
