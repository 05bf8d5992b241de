//! World files as nobody wrote them: read or refused, in time and in words.

use domain::world::{Common, World};
use fuzzing::{says_something, text};

use super::read;
use crate::fuzz::YAML;

#[test]
fn worlds() {
    let world = include_str!("../../../../../corpus/worlds/w4-azure-rbac.yaml");
    let rules = include_str!("../../../../../corpus/worlds/kubernetes-rules.yaml");
    let common = Common::load().unwrap();
    text(&[world, rules, "{\"apiVersion\": \"portcullis/v1\", \"kind\": \"World\"}"], &YAML, |text| {
        for is_json in [true, false] {
            match read::parse(text, is_json) {
                Ok(file) => {
                    if let Err(error) = World::build(file, &common) {
                        says_something(error);
                    }
                }
                Err(error) => says_something(error),
            }
        }
    });
}
