//! [`TextMap`]: a CEL map from names to text in which an absent name reads as "". Labels,
//! annotations, parameters and results are such maps, so that a rule about one of them does not
//! fail on runs without it.

use cel::ExecutionError;
use cel::common::traits::{Container, Indexer, Iterable, Iterator as CelIterator, Sizer};
use cel::common::types::{CelInt, CelString, MAP_TYPE, Type};
use cel::common::value::{CowVal, StaticVal, Val};
use std::any::Any;

type Text = CelString<'static>;

/// The value of an absent name.
static ABSENT: std::sync::LazyLock<Text> = std::sync::LazyLock::new(|| Text::from(""));

/// Names and texts, sorted by name so that iteration has one order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct TextMap(Vec<(Text, Text)>);

impl TextMap {
    /// Collects pairs. Of equal names the last one wins.
    pub(super) fn new<'a>(pairs: impl Iterator<Item = (&'a str, &'a str)>) -> Self {
        let mut entries: Vec<(Text, Text)> =
            pairs.map(|(name, text)| (owned(name), owned(text))).collect();
        // The sort is stable: of equal names the last given comes first here, and stays.
        entries.reverse();
        entries.sort_by(|a, b| a.0.cmp(&b.0));
        entries.dedup_by(|later, kept| later.0 == kept.0);
        Self(entries)
    }

    fn find(&self, name: &str) -> Option<&Text> {
        let place = self.0.binary_search_by(|(key, _)| key.inner().cmp(name)).ok()?;
        Some(&self.0[place].1)
    }
}

fn owned(text: &str) -> Text {
    Text::from(text.to_owned())
}

fn name_of(key: &dyn Val) -> Result<&str, ExecutionError> {
    key.downcast_ref::<CelString<'_>>().map(CelString::inner).ok_or_else(|| {
        ExecutionError::UnexpectedType {
            got: key.get_type().name().to_owned(),
            want: "string".to_owned(),
        }
    })
}

impl Val for TextMap {
    fn get_type(&self) -> &Type {
        <Self as Val>::cel_type()
    }

    fn cel_type() -> &'static Type {
        &MAP_TYPE
    }

    fn as_container(&self) -> Option<&dyn Container> {
        Some(self)
    }

    fn as_indexer<'b, 'v>(&'b self) -> Option<&'b (dyn Indexer + 'v)>
    where
        Self: 'v,
    {
        Some(self)
    }

    fn as_iterable<'b, 'v>(&'b self) -> Option<&'b (dyn Iterable + 'v)>
    where
        Self: 'v,
    {
        Some(self)
    }

    fn as_sizer(&self) -> Option<&dyn Sizer> {
        Some(self)
    }

    fn equals(&self, other: &dyn Val) -> bool {
        other.downcast_ref::<Self>().is_some_and(|other| self == other)
    }

    fn clone_as_boxed<'v>(&self) -> Box<dyn Val + 'v>
    where
        Self: 'v,
    {
        Box::new(self.clone())
    }

    fn as_any(&self) -> Option<&dyn Any> {
        Some(self)
    }
}

impl StaticVal for TextMap {}

impl Indexer for TextMap {
    fn get<'b, 'v>(&'b self, key: &dyn Val) -> Result<CowVal<'b, 'v>, ExecutionError>
    where
        Self: 'v,
    {
        Ok(CowVal::Borrowed(self.find(name_of(key)?).unwrap_or(&ABSENT)))
    }

    fn steal<'v>(self: Box<Self>, key: &dyn Val) -> Result<Box<dyn Val + 'v>, ExecutionError>
    where
        Self: 'v,
    {
        self.get(key).map(CowVal::into_owned)
    }
}

impl Container for TextMap {
    fn contains(&self, key: &dyn Val) -> Result<bool, ExecutionError> {
        name_of(key).map(|name| self.find(name).is_some())
    }
}

impl Sizer for TextMap {
    fn size(&self) -> CelInt {
        i64::try_from(self.0.len()).unwrap_or(i64::MAX).into()
    }
}

impl Iterable for TextMap {
    fn iter<'b, 'v>(&'b self) -> Box<dyn CelIterator<'b, 'v> + 'b>
    where
        Self: 'v,
    {
        Box::new(Names(self.0.iter()))
    }
}

/// The names of a map, in order.
struct Names<'b>(std::slice::Iter<'b, (Text, Text)>);

impl<'b, 'v> CelIterator<'b, 'v> for Names<'b> {
    fn next(&mut self) -> Option<&'b (dyn Val + 'v)> {
        self.0.next().map(|(name, _)| name as &dyn Val)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(map: &TextMap, name: &str) -> String {
        let value = map.get(&CelString::from(name)).unwrap();
        value.downcast_ref::<CelString<'_>>().unwrap().inner().to_owned()
    }

    #[test]
    fn an_absent_name_reads_as_empty_but_is_not_contained() {
        let map = TextMap::new([("b", "2"), ("a", "1")].into_iter());
        assert_eq!(read(&map, "a"), "1");
        assert_eq!(read(&map, "c"), "");
        assert_eq!(map.contains(&CelString::from("a")), Ok(true));
        assert_eq!(map.contains(&CelString::from("c")), Ok(false));
        assert_eq!(map.size(), CelInt::from(2));
    }

    #[test]
    fn of_equal_names_the_last_counts() {
        let map = TextMap::new([("a", "first"), ("b", ""), ("a", "last")].into_iter());
        assert_eq!(read(&map, "a"), "last");
        assert_eq!(map.size(), CelInt::from(2));
    }

    #[test]
    fn a_key_that_is_no_text_is_an_error() {
        let map = TextMap::new([("a", "1")].into_iter());
        let expected = ExecutionError::UnexpectedType { got: "int".into(), want: "string".into() };
        assert_eq!(map.get(&CelInt::from(1)).unwrap_err(), expected);
        assert_eq!(map.contains(&CelInt::from(1)), Err(expected));
    }

    #[test]
    fn names_come_in_order() {
        let map = TextMap::new([("b", ""), ("a", ""), ("c", "")].into_iter());
        let mut names = Vec::new();
        let mut rest = map.iter();
        while let Some(name) = rest.next() {
            names.push(name.downcast_ref::<CelString<'_>>().unwrap().inner().to_owned());
        }
        assert_eq!(names, ["a", "b", "c"]);
    }

    #[test]
    fn maps_are_equal_when_their_entries_are() {
        let map = TextMap::new([("a", "1"), ("b", "2")].into_iter());
        assert!(map.equals(&TextMap::new([("b", "2"), ("a", "1")].into_iter())));
        assert!(!map.equals(&TextMap::new([("a", "1")].into_iter())));
        assert!(!map.equals(&CelInt::from(1)));
    }
}
