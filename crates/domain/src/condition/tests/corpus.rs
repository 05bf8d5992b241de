//! The cases of `corpus/conditions`, which other implementations can read too; its README has the format.

use std::{collections::BTreeMap, fs, path::Path};

use serde::Deserialize;

use super::super::{Condition, Facts, Source, Value, Values, attribute_names_match};

#[test]
fn the_corpus_holds() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../corpus/conditions");
    let mut count = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "json") {
            let file: File = serde_json::from_str(&fs::read_to_string(&path).unwrap())
                .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            count += file.cases.len();
            file.cases.iter().for_each(|case| check(&path, case));
        }
    }
    assert!(count >= 100, "only {count} cases were found");
}

fn check(path: &Path, case: &Case) {
    let place = format!("{}: {}", path.display(), case.name);
    match (Condition::parse(&case.condition), &case.expected) {
        (Ok(condition), Expected::Holds(holds)) => {
            assert_eq!(condition.holds(&case.request), *holds, "{place}");
            if let Some(canonical) = &case.canonical {
                assert_eq!(condition.to_string(), *canonical, "{place}");
            }
        }
        (Err(error), Expected::Error { position, line, column }) => {
            assert_eq!(
                (error.position, error.line, error.column),
                (*position, *line, *column),
                "{place}: {error}"
            );
        }
        (read, expected) => panic!("{place}: {read:?}, expected {expected:?}"),
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[expect(dead_code, reason = "says to readers what the file is about")]
    about: String,
    cases: Vec<Case>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    condition: String,
    #[serde(default)]
    request: Request,
    #[serde(default)]
    canonical: Option<String>,
    expected: Expected,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
enum Expected {
    Holds(bool),
    Error { position: usize, line: u32, column: u32 },
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Request {
    #[serde(default)]
    action: String,
    #[serde(default)]
    sub_operation: Option<String>,
    #[serde(default, rename = "@Request")]
    request: BTreeMap<String, Held>,
    #[serde(default, rename = "@Resource")]
    resource: BTreeMap<String, Held>,
    #[serde(default, rename = "@Principal")]
    principal: BTreeMap<String, Held>,
    #[serde(default, rename = "@Environment")]
    environment: BTreeMap<String, Held>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Held {
    One(Scalar),
    Texts(Vec<String>),
    Many(Vec<Scalar>),
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Scalar {
    Bool(bool),
    Number(i64),
    Text(String),
}

impl Scalar {
    fn value(&self) -> Value<'_> {
        match self {
            Self::Bool(truth) => Value::Bool(*truth),
            Self::Number(number) => Value::Number(*number),
            Self::Text(text) => Value::String(text),
        }
    }
}

impl Facts for Request {
    fn action(&self) -> &str {
        &self.action
    }

    fn sub_operation(&self) -> Option<&str> {
        self.sub_operation.as_deref()
    }

    fn attribute(&self, source: Source, name: &str) -> Option<Values<'_>> {
        let attributes = match source {
            Source::Request => &self.request,
            Source::Resource => &self.resource,
            Source::Principal => &self.principal,
            Source::Environment => &self.environment,
        };
        let (_, held) = attributes.iter().find(|(held, _)| attribute_names_match(name, held))?;
        Some(match held {
            Held::One(scalar) => Values::One(scalar.value()),
            Held::Texts(texts) => Values::Strings(texts),
            Held::Many(scalars) => Values::Many(scalars.iter().map(Scalar::value).collect()),
        })
    }
}
