//! Parses paths, case-insensitively, and matches them with templates.
//!
//! A template is a path with `{name}` for a variable segment. A leading `{scope}` matches any resource id, up to the
//! last `providers` segment of the template's provider, because a scope may itself contain a provider.

use crate::error::ArmError;

/// The decoded segments of a path.
#[derive(Debug)]
pub(crate) struct Segments(Vec<String>);

/// The segments of a path at the `{name}`s of its template.
#[derive(Debug, Default)]
pub(crate) struct Names(Vec<(&'static str, String)>);

impl Segments {
    pub(crate) fn parse(path: &str) -> Result<Self, ArmError> {
        let malformed = || {
            ArmError::bad(
                "InvalidResourceId",
                "The resource id is not well formed: a segment is empty, is '.' or '..', or holds a character that no name has.",
            )
        };
        let path = path.strip_prefix('/').ok_or_else(malformed)?;
        let path = path.strip_suffix('/').unwrap_or(path);
        // az sends an empty segment for a resource type without a parent: `/providers/NAMESPACE//TYPE/NAME`; clients
        // send one for a scope that ends with a slash: `SCOPE//providers/NAMESPACE`.
        let raw: Vec<&str> = path.split('/').collect();
        let is_gap = |place: usize| {
            let word = |back: usize| place.checked_sub(back).and_then(|at| raw.get(at)).copied();
            let is_providers =
                |word: Option<&str>| word.is_some_and(|word| word.eq_ignore_ascii_case("providers"));
            let next = raw.get(place + 1).copied();
            raw.get(place) == Some(&"")
                && next.is_some()
                && word(1).is_some_and(|word| !word.is_empty())
                && (is_providers(word(2)) || is_providers(next))
        };
        let raw = raw.iter().enumerate().filter(|(place, _)| !is_gap(*place));
        let decoded = raw.map(|(_, raw)| {
            let decoded = web::path::segment(raw).map_err(|_| malformed())?;
            let refused = decoded.is_empty() || decoded.chars().any(char::is_control);
            if refused { Err(malformed()) } else { Ok(decoded.into_owned()) }
        });
        decoded.collect::<Result<_, _>>().map(Self)
    }

    /// The variable segments, if the path matches the template.
    pub(crate) fn matching(&self, base: &'static str, rest: &'static str) -> Option<Names> {
        let template = |text: &'static str| text.split('/').filter(|segment| !segment.is_empty());
        let mut wanted = template(base).chain(template(rest)).peekable();
        let mut names = Names::default();
        let mut given = self.0.as_slice();
        if wanted.next_if_eq(&SCOPE).is_some() {
            let provider: Vec<&str> = wanted.clone().take(2).collect();
            let place = given.windows(2).rposition(|pair| {
                pair.iter().zip(&provider).all(|(given, wanted)| given.eq_ignore_ascii_case(wanted))
            })?;
            let (scope, further) = given.split_at(place);
            names.0.push(("scope", format!("/{}", scope.join("/"))));
            given = further;
        }
        for segment in given {
            let wanted = wanted.next()?;
            match wanted.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) {
                Some(name) => names.0.push((name, segment.clone())),
                None if wanted.eq_ignore_ascii_case(segment) => {}
                None => return None,
            }
        }
        wanted.next().is_none().then_some(names)
    }
}

impl Names {
    /// Empty if the template has no such name.
    pub(crate) fn get(&self, name: &str) -> &str {
        self.0.iter().find(|(each, _)| *each == name).map_or("", |(_, value)| value)
    }
}

const SCOPE: &str = "{scope}";

#[cfg(test)]
mod tests {
    use super::*;

    fn names(path: &str, base: &'static str, rest: &'static str) -> Option<Vec<(&'static str, String)>> {
        Segments::parse(path).ok()?.matching(base, rest).map(|names| names.0)
    }

    #[test]
    fn a_template_takes_paths_in_any_case_and_keeps_names_as_written() {
        let found = names(
            "/subscriptions/S/resourcegroups/Web",
            "/subscriptions/{subscription}",
            "/resourceGroups/{group}",
        );
        assert_eq!(found, Some(vec![("subscription", "S".into()), ("group", "Web".into())]));
        for path in
            ["/subscriptions/S", "/subscriptions/S/resourceGroups", "/subscriptions/S/resourceGroups/a/b"]
        {
            assert_eq!(
                names(path, "/subscriptions/{subscription}", "/resourceGroups/{group}"),
                None,
                "{path}"
            );
        }
    }

    #[test]
    fn a_scope_reaches_to_the_last_provider_of_its_template() {
        let base = "{scope}/providers/Microsoft.Authorization";
        let inner = "/subscriptions/S/providers/Microsoft.Authorization/roleAssignments/A";
        let path = format!("{inner}/providers/microsoft.authorization/locks/L");
        let found = names(&path, base, "/locks/{lock}");
        assert_eq!(found, Some(vec![("scope", inner.into()), ("lock", "L".into())]));
        let root = names("/providers/Microsoft.Authorization/locks/L", base, "/locks/{lock}");
        assert_eq!(root, Some(vec![("scope", "/".into()), ("lock", "L".into())]));
    }

    #[test]
    fn segments_that_no_name_has_are_refused() {
        for path in ["/a//b", "/a/%2e%2e", "/a/b%2fc", "/a/%00", "/a/\\", "a"] {
            assert!(Segments::parse(path).is_err(), "{path}");
        }
        for path in [
            "//providers/a",
            "/providers//a",
            "/providers/a//",
            "/providers/a///b",
            "/x/providers/a/b//c",
            "/x///providers/a",
            "/x/%2f/providers/a",
            "/x/%2fproviders/a",
        ] {
            assert!(Segments::parse(path).is_err(), "{path}");
        }
        assert!(Segments::parse("/subscriptions/").is_ok());
    }

    #[test]
    fn the_gap_that_az_leaves_after_a_provider_is_closed() {
        let found = names("/x/Providers/Contoso//things/t", "/x", "/providers/{provider}/things/{thing}");
        assert_eq!(found, Some(vec![("provider", "Contoso".into()), ("thing", "t".into())]));
    }

    #[test]
    fn the_slash_at_the_end_of_a_scope_is_closed() {
        let base = "{scope}/providers/Microsoft.Authorization";
        for path in [
            "/x/y//providers/Microsoft.Authorization/locks/l",
            "/x/y//Providers/microsoft.authorization//locks/l",
        ] {
            let found = names(path, base, "/locks/{lock}");
            assert_eq!(found, Some(vec![("scope", "/x/y".into()), ("lock", "l".into())]), "{path}");
        }
    }
}
