//! Common keys of all lists of instances and actions: a unique name, and a switch. The walk does
//! not read further into what is switched off, so a file may hold unused parts.

use super::error::Problem;
use super::fields::Fields;
use super::secret_file::is_path_part;
use super::setting::Setting;
use std::collections::BTreeMap;

/// A configured instance that is switched on.
pub(crate) struct Instance<'n> {
    pub(crate) name: String,
    /// Its keys; `name` and `enabled` are read.
    pub(crate) fields: Fields<'n>,
}

/// Names of one list, with the line that used each first.
#[derive(Default)]
pub(crate) struct UsedNames(BTreeMap<String, usize>);

impl UsedNames {
    /// Notes a name. A second use is a mistake at `setting`.
    pub(crate) fn add(&mut self, name: &str, setting: &Setting<'_>) {
        if let Some(first_line) = self.0.get(name) {
            let (name, first_line) = (name.to_owned(), *first_line);
            setting.fail(Problem::DuplicateName { name, first_line });
            return;
        }
        self.0.insert(name.to_owned(), setting.node.at.line);
    }
}

/// The instances of the list under `key` that are switched on.
pub(crate) fn read<'n>(fields: &mut Fields<'n>, key: &'static str) -> Vec<Instance<'n>> {
    let mut names = UsedNames::default();
    let items = fields.list(key);
    items.into_iter().filter_map(|item| read_one(&item, &mut names)).collect()
}

fn read_one<'n>(item: &Setting<'n>, names: &mut UsedNames) -> Option<Instance<'n>> {
    let mut fields = item.fields()?;
    let is_enabled = fields.flag("enabled").unwrap_or(true);
    let name = read_name(&mut fields, names);
    is_enabled.then(|| Instance { name: name.unwrap_or_default(), fields })
}

fn read_name(fields: &mut Fields<'_>, names: &mut UsedNames) -> Option<String> {
    let setting =
        fields.required("name", "it names the instance in logs, metrics and secret files")?;
    let name = setting.text()?;
    if !is_path_part(name) {
        let expected =
            "a name that is not empty, without `/` and `..`: it names a folder of secrets";
        setting.fail(Problem::Malformed { expected });
        return None;
    }
    names.add(name, &setting);
    Some(name.to_owned())
}
