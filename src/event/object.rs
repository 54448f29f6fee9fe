//! The fields of a Tekton object that are read. The JSON reader skips everything else,
//! `managedFields` first of all, without keeping it. Any field may be absent or null: the decoder
//! decides which ones are required.

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;
use std::borrow::{Borrow, Cow};
use std::collections::BTreeMap;
use std::ops::Deref;

/// Text borrowed from the event if it holds no escapes. (serde copies an `Option<Cow<str>>`: it
/// borrows a `Cow` only as a field of its own.)
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(transparent)]
pub(super) struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'a> Text<'a> {
    pub(super) fn into_inner(self) -> Cow<'a, str> {
        self.0
    }
}

impl Deref for Text<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for Text<'_> {
    fn borrow(&self) -> &str {
        &self.0
    }
}

/// Labels or annotations.
#[derive(Debug, Default, Deserialize)]
#[serde(transparent)]
pub(super) struct Pairs<'a>(#[serde(borrow)] Option<BTreeMap<Text<'a>, Option<Text<'a>>>>);

impl Pairs<'_> {
    /// The value under `name`; empty when there is none.
    pub(super) fn get(&self, name: &str) -> &str {
        let value = self.0.as_ref().and_then(|pairs| pairs.get(name));
        value.and_then(Option::as_deref).unwrap_or_default()
    }

    /// Names and values in the order of the names.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        let pairs = self.0.iter().flatten();
        pairs.map(|(name, value)| (&**name, value.as_deref().unwrap_or_default()))
    }
}

/// The data of a run event: one of these keys, by the kind that the event type names.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Payload<'a> {
    #[serde(borrow)]
    pub task_run: Option<Object<'a>>,
    #[serde(borrow)]
    pub pipeline_run: Option<Object<'a>>,
    #[serde(borrow)]
    pub custom_run: Option<Object<'a>>,
    #[serde(borrow)]
    pub run: Option<Object<'a>>,
}

/// A TaskRun, PipelineRun or CustomRun, in v1beta1 or v1 field names.
#[derive(Debug, Deserialize)]
pub(super) struct Object<'a> {
    #[serde(borrow)]
    pub metadata: Option<Metadata<'a>>,
    #[serde(borrow)]
    pub spec: Option<Spec<'a>>,
    #[serde(borrow)]
    pub status: Option<Status<'a>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Metadata<'a> {
    #[serde(borrow)]
    pub name: Option<Text<'a>>,
    #[serde(borrow)]
    pub generate_name: Option<Text<'a>>,
    #[serde(borrow)]
    pub namespace: Option<Text<'a>>,
    #[serde(borrow)]
    pub uid: Option<Text<'a>>,
    #[serde(borrow)]
    pub resource_version: Option<Text<'a>>,
    #[serde(borrow)]
    pub creation_timestamp: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub labels: Pairs<'a>,
    #[serde(borrow, default)]
    pub annotations: Pairs<'a>,
    #[serde(borrow)]
    pub owner_references: Option<Vec<OwnerReference<'a>>>,
}

#[derive(Debug, Deserialize)]
pub(super) struct OwnerReference<'a> {
    #[serde(borrow)]
    pub kind: Option<Text<'a>>,
    #[serde(borrow)]
    pub name: Option<Text<'a>>,
    #[serde(borrow)]
    pub uid: Option<Text<'a>>,
    pub controller: Option<bool>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Spec<'a> {
    #[serde(borrow)]
    pub params: Option<Vec<NamedJson<'a>>>,
    #[serde(borrow)]
    pub pipeline_ref: Option<RawReference<'a>>,
    #[serde(borrow)]
    pub task_ref: Option<RawReference<'a>>,
    /// `ref` in the older v1alpha1 Runs.
    #[serde(borrow, alias = "ref")]
    pub custom_ref: Option<RawReference<'a>>,
    #[serde(borrow)]
    pub custom_spec: Option<Displayed<'a>>,
    #[serde(borrow)]
    pub task_spec: Option<Displayed<'a>>,
    #[serde(borrow)]
    pub pipeline_spec: Option<Displayed<'a>>,
    /// Retries of TaskRuns and CustomRuns.
    #[serde(borrow)]
    pub retries: Option<&'a RawValue>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RawReference<'a> {
    #[serde(borrow)]
    pub name: Option<Text<'a>>,
    #[serde(borrow)]
    pub kind: Option<Text<'a>>,
    #[serde(borrow)]
    pub api_version: Option<Text<'a>>,
    #[serde(borrow)]
    pub resolver: Option<Text<'a>>,
    /// The form of resolvers before Tekton 0.41.
    #[serde(borrow)]
    pub bundle: Option<Text<'a>>,
}

/// A parameter or result: its value is text, an array or an object.
#[derive(Debug, Deserialize)]
pub(super) struct NamedJson<'a> {
    #[serde(borrow)]
    pub name: Option<Text<'a>>,
    #[serde(borrow)]
    pub value: Option<&'a RawValue>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Status<'a> {
    #[serde(borrow)]
    pub conditions: Option<Vec<StatusCondition<'a>>>,
    #[serde(borrow)]
    pub start_time: Option<Text<'a>>,
    #[serde(borrow)]
    pub completion_time: Option<Text<'a>>,
    /// v1beta1 TaskRuns.
    #[serde(borrow)]
    pub task_results: Option<Vec<NamedJson<'a>>>,
    /// v1beta1 PipelineRuns.
    #[serde(borrow)]
    pub pipeline_results: Option<Vec<NamedJson<'a>>>,
    /// CustomRuns, and all runs of v1.
    #[serde(borrow)]
    pub results: Option<Vec<NamedJson<'a>>>,
    /// Only their number is used; elements without a size take no memory.
    pub retries_status: Option<Vec<IgnoredAny>>,
    #[serde(borrow)]
    pub child_references: Option<Vec<Child<'a>>>,
    #[serde(borrow)]
    pub skipped_tasks: Option<Vec<SkippedEntry<'a>>>,
    /// Children by name, as Tekton up to 0.44 embedded them.
    #[serde(borrow)]
    pub task_runs: Option<BTreeMap<Text<'a>, Option<Embedded<'a>>>>,
    #[serde(borrow)]
    pub runs: Option<BTreeMap<Text<'a>, Option<Embedded<'a>>>>,
    #[serde(borrow)]
    pub task_spec: Option<Displayed<'a>>,
    #[serde(borrow)]
    pub pipeline_spec: Option<Displayed<'a>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct StatusCondition<'a> {
    #[serde(borrow, rename = "type")]
    pub kind: Option<Text<'a>>,
    #[serde(borrow)]
    pub status: Option<Text<'a>>,
    #[serde(borrow)]
    pub reason: Option<Text<'a>>,
    #[serde(borrow)]
    pub message: Option<Text<'a>>,
    #[serde(borrow)]
    pub last_transition_time: Option<Text<'a>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Child<'a> {
    #[serde(borrow)]
    pub name: Option<Text<'a>>,
    #[serde(borrow)]
    pub pipeline_task_name: Option<Text<'a>>,
    #[serde(borrow)]
    pub display_name: Option<Text<'a>>,
}

#[derive(Debug, Deserialize)]
pub(super) struct SkippedEntry<'a> {
    #[serde(borrow)]
    pub name: Option<Text<'a>>,
    #[serde(borrow)]
    pub reason: Option<Text<'a>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Embedded<'a> {
    #[serde(borrow)]
    pub pipeline_task_name: Option<Text<'a>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Displayed<'a> {
    #[serde(borrow)]
    pub display_name: Option<Text<'a>>,
}
