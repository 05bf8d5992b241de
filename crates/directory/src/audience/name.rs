//! When two names are of one service: the one rule, by which names are claimed, asked for and accepted. Were they claimed
//! by one rule and accepted by another, somebody could claim what is taken for another's.

use domain::id::AppId;

/// A name of a service, as somebody wrote it.
#[derive(Clone, Copy, Debug)]
pub enum ServiceName<'a> {
    /// An application id, by itself or behind `api://` or `spn:`.
    Id(AppId),
    /// Compared without regard to case, and without the slashes at its end.
    Text(&'a str),
}

impl<'a> ServiceName<'a> {
    pub fn parse(text: &'a str) -> Self {
        let bare = text.trim_end_matches('/');
        let behind = |scheme: &str| {
            let start = bare.get(..scheme.len()).filter(|start| start.eq_ignore_ascii_case(scheme));
            start.and_then(|_| bare.get(scheme.len()..))
        };
        let id = behind("api://").or_else(|| behind("spn:")).unwrap_or(bare);
        AppId::parse(id).map_or(Self::Text(bare), Self::Id)
    }

    pub fn is_empty(&self) -> bool {
        matches!(self, Self::Text(text) if text.is_empty())
    }
}

impl PartialEq for ServiceName<'_> {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Id(one), Self::Id(other)) => one == other,
            (Self::Text(one), Self::Text(other)) => one.eq_ignore_ascii_case(other),
            (Self::Id(_), Self::Text(_)) | (Self::Text(_), Self::Id(_)) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_has_its_name_in_any_case_and_with_slashes_at_the_end() {
        let id = "3f0d0d4e-56a4-4a58-8f5b-0c8e2a1d9b77";
        let same = [
            vec![
                id.to_owned(),
                format!("api://{id}"),
                format!("API://{}/", id.to_uppercase()),
                format!("SPN:{id}"),
            ],
            vec!["api://shop".to_owned(), "API://Shop".to_owned(), "api://shop//".to_owned()],
            vec!["https://shop.example".to_owned(), "HTTPS://SHOP.example/".to_owned()],
            vec!["shop".to_owned()],
        ];
        for (place, names) in same.iter().enumerate() {
            for (other, others) in same.iter().enumerate() {
                for (one, another) in
                    names.iter().flat_map(|one| others.iter().map(move |other| (one, other)))
                {
                    let equal = ServiceName::parse(one) == ServiceName::parse(another);
                    assert_eq!(equal, place == other, "{one} {another}");
                }
            }
        }
        assert!(ServiceName::parse("//").is_empty() && !ServiceName::parse("x").is_empty());
    }
}
