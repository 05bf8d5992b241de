//! A world file: access rules as data, and questions with the answers that are expected. `portcullis eval`
//! answers them with the engines that a server enforces with.
//!
//! ```text
//! YAML or JSON ─► WorldFile (as written) ─► World (the engines' own types) ─► Outcome ─► Differences
//! ```
//!
//! Reading files and printing are the command's. What the keys mean: `docs/world-file.md`.

mod build;
mod expectation;
pub mod file;
mod outcome;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

use jiff::Timestamp;

pub use build::WorldError;
pub use expectation::{Difference, Expectation};
pub use file::WorldFile;
pub use outcome::{AzureOutcome, EngineOutcome, Outcome, Verdict};

use crate::{
    azure::{self, BuiltIn, Operations},
    id::ObjectId,
    kube::{self, Attributes},
    review::{ClusterAccess, Depth, Engines, Membership},
};

/// What every world has from the start: the built-in roles and the published operations. Load it once.
#[derive(Clone, Debug)]
pub struct Common {
    built_in: BuiltIn,
    operations: Arc<Operations>,
    /// With the built-in roles and nothing else.
    azure: azure::Policy,
}

/// The state of a world file, and its questions.
#[derive(Clone, Debug)]
pub struct World {
    access: ClusterAccess,
    kube: kube::Policy,
    azure: azure::Policy,
    operations: Arc<Operations>,
    /// The groups that name an object as a member.
    groups_of: HashMap<ObjectId, Vec<ObjectId>>,
    questions: Vec<Question>,
}

/// One review of a world file.
#[derive(Clone, Debug)]
pub struct Question {
    pub name: String,
    pub expectation: Option<Expectation>,
    /// What is asked, or why that cannot be told.
    attributes: Result<Attributes, String>,
}

impl Common {
    /// Fails only if the lists that are part of the program are damaged, which a test rules out.
    pub fn load() -> Result<Self, serde_json::Error> {
        let built_in = BuiltIn::load()?;
        let operations = Operations::published()?;
        let azure = azure::Policy::new(&built_in, &operations);
        Ok(Self { built_in, operations: Arc::new(operations), azure })
    }
}

impl World {
    /// Checks what was written and puts it together.
    pub fn build(file: WorldFile, common: &Common) -> Result<Self, WorldError> {
        build::build(file, common)
    }

    /// In the order of the file.
    pub fn questions(&self) -> &[Question] {
        &self.questions
    }

    pub fn answer(&self, question: &Question, now: Timestamp) -> Outcome {
        let attributes = match &question.attributes {
            Ok(attributes) => attributes,
            Err(cause) => return Outcome::unanswerable(&question.name, cause),
        };
        let groups = attributes.user.object_id().map(|id| self.directory_groups(id)).unwrap_or_default();
        let engines = Engines {
            access: &self.access,
            kube: &self.kube,
            azure: &self.azure,
            operations: &self.operations,
            now,
        };
        let review = engines.review(attributes, Membership::Named(&groups), Depth::Explain);
        Outcome::new(&question.name, &review, || engines.advice(attributes))
    }

    /// The groups that hold a member, directly or through other groups.
    fn directory_groups(&self, member: ObjectId) -> Vec<ObjectId> {
        let mut found = BTreeSet::new();
        let mut pending = vec![member];
        while let Some(next) = pending.pop() {
            let above = self.groups_of.get(&next).into_iter().flatten();
            pending.extend(above.filter(|group| found.insert(**group)));
        }
        found.into_iter().collect()
    }
}

/// Members of groups, turned round.
fn groups_of(groups: &BTreeMap<ObjectId, Vec<ObjectId>>) -> HashMap<ObjectId, Vec<ObjectId>> {
    let mut groups_of: HashMap<ObjectId, Vec<ObjectId>> = HashMap::new();
    for (group, members) in groups {
        for member in members {
            groups_of.entry(*member).or_default().push(*group);
        }
    }
    groups_of
}

#[cfg(test)]
mod tests;
