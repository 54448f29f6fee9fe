//! What all lists of instances and actions share: a name that is used once, and a switch. What is
//! switched off is not looked at further, so that a file may carry what it does not use.

use super::error::Problem;
use super::fields::Fields;
use super::place::Place;
use super::secret_file::is_path_part;
use std::collections::BTreeMap;

/// A configured instance that is switched on.
pub(super) struct Instance<'n> {
    pub(super) name: String,
    /// Its keys; `name` and `enabled` are read.
    pub(super) fields: Fields<'n>,
}

/// Names of one list, with the line that used each first.
#[derive(Default)]
pub(super) struct Names(BTreeMap<String, usize>);

impl Names {
    /// Notes a name; a second use is a mistake at `place`.
    pub(super) fn add(&mut self, name: &str, place: &Place<'_>) {
        if let Some(first_line) = self.0.get(name) {
            let (name, first_line) = (name.to_owned(), *first_line);
            place.fail(Problem::DuplicateName { name, first_line });
            return;
        }
        self.0.insert(name.to_owned(), place.node.at.line);
    }
}

/// The instances of the list under `key` that are switched on.
pub(super) fn read<'n>(fields: &mut Fields<'n>, key: &'static str) -> Vec<Instance<'n>> {
    let mut names = Names::default();
    let items = fields.list(key);
    items.into_iter().filter_map(|item| read_one(&item, &mut names)).collect()
}

fn read_one<'n>(item: &Place<'n>, names: &mut Names) -> Option<Instance<'n>> {
    let mut fields = item.fields()?;
    let is_enabled = fields.flag("enabled").unwrap_or(true);
    let name = read_name(&mut fields, names);
    is_enabled.then(|| Instance { name: name.unwrap_or_default(), fields })
}

fn read_name(fields: &mut Fields<'_>, names: &mut Names) -> Option<String> {
    let place =
        fields.required("name", "it names the instance in logs, metrics and secret files")?;
    let name = place.text()?;
    if !is_path_part(name) {
        let expected =
            "a name that is not empty, without `/` and `..`: it names a folder of secrets";
        place.fail(Problem::Malformed { expected });
        return None;
    }
    names.add(name, &place);
    Some(name.to_owned())
}
