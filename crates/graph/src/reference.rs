//! References to objects in requests: by id, or by Graph URL.

use domain::id::ObjectId;
use serde::Deserialize;

use crate::error::GraphError;

/// A reference to an object by its Graph URL (`@odata.id`).
#[derive(Deserialize)]
pub(crate) struct Reference {
    #[serde(rename = "@odata.id")]
    id: String,
}

impl Reference {
    pub(crate) fn target(&self) -> Result<ObjectId, GraphError> {
        parse(self.id.trim_end_matches('/').rsplit('/').next().unwrap_or_default())
    }
}

pub(crate) fn parse(text: &str) -> Result<ObjectId, GraphError> {
    ObjectId::parse(text).map_err(|_| GraphError::not_found(text))
}
