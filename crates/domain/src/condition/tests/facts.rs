//! A request written down, for tests.

use super::super::{Facts, Source, Value, Values, attribute_names_match};

#[derive(Clone, Debug)]
pub(super) struct TestFacts {
    pub(super) action: &'static str,
    pub(super) sub_operation: Option<&'static str>,
    pub(super) attributes: Vec<(Source, String, Vec<Value<'static>>)>,
    /// As records hold lists of texts.
    texts: Vec<(Source, String, Vec<String>)>,
}

impl TestFacts {
    pub(super) fn new(action: &'static str) -> Self {
        Self { action, sub_operation: None, attributes: Vec::new(), texts: Vec::new() }
    }

    pub(super) fn with(self, source: Source, name: &str, value: Value<'static>) -> Self {
        self.with_list(source, name, vec![value])
    }

    pub(super) fn with_list(mut self, source: Source, name: &str, values: Vec<Value<'static>>) -> Self {
        self.attributes.push((source, name.to_owned(), values));
        self
    }

    pub(super) fn with_strings(mut self, source: Source, name: &str, texts: &[&str]) -> Self {
        self.texts.push((source, name.to_owned(), texts.iter().map(|text| (*text).to_owned()).collect()));
        self
    }
}

impl Facts for TestFacts {
    fn action(&self) -> &str {
        self.action
    }

    fn sub_operation(&self) -> Option<&str> {
        self.sub_operation
    }

    fn attribute(&self, source: Source, name: &str) -> Option<Values<'_>> {
        let is = |held: Source, under: &str| held == source && attribute_names_match(name, under);
        let values = self.attributes.iter().find(|(held, under, _)| is(*held, under));
        if let Some((_, _, values)) = values {
            return Some(match values.as_slice() {
                [value] => Values::One(*value),
                values => Values::Many(values.to_vec()),
            });
        }
        let texts = self.texts.iter().find(|(held, under, _)| is(*held, under));
        texts.map(|(_, _, texts)| Values::Strings(texts))
    }
}
