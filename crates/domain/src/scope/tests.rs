//! Which texts are scopes, and how scopes lie below each other.

use super::*;

const CLUSTER: &str = "/subscriptions/0b1f6471-1bf0-4dda-aec3-111122223333/resourceGroups/Rg/providers/\
                       Microsoft.ContainerService/managedClusters/c1";

fn scope(text: &str) -> Scope {
    Scope::parse(text).unwrap()
}

fn parents(text: &str) -> Vec<String> {
    std::iter::successors(Some(scope(text)), Scope::parent).skip(1).map(|each| each.to_string()).collect()
}

#[test]
fn a_namespace_hangs_below_cluster_resource_group_and_subscription() {
    let above = [
        CLUSTER,
        "/subscriptions/0b1f6471-1bf0-4dda-aec3-111122223333/resourceGroups/Rg",
        "/subscriptions/0b1f6471-1bf0-4dda-aec3-111122223333",
        "/",
    ];
    assert_eq!(parents(&format!("{CLUSTER}/namespaces/web")), above);
    assert_eq!(
        parents(&format!("{CLUSTER}/providers/Microsoft.KubernetesConfiguration/namespaces/web")),
        above
    );
}

#[test]
fn resources_outside_resource_groups_hang_below_what_they_name() {
    assert_eq!(parents("/providers/Microsoft.Management/managementGroups/platform"), ["/"]);
    assert_eq!(parents("/subscriptions/s/providers/Microsoft.X/things/t"), ["/subscriptions/s", "/"]);
    assert_eq!(
        parents("/providers/Microsoft.Management/managementGroups/m/providers/Microsoft.X/things/t"),
        ["/providers/Microsoft.Management/managementGroups/m", "/"]
    );
}

#[test]
fn kinds_and_parts_are_told_from_the_text() {
    let cases = [
        ("/", ScopeKind::Root, None),
        ("/providers/Microsoft.Management/ManagementGroups/m", ScopeKind::ManagementGroup, None),
        ("/Subscriptions/s", ScopeKind::Subscription, None),
        ("/subscriptions/s/resourcegroups/G", ScopeKind::ResourceGroup, Some("G")),
        (CLUSTER, ScopeKind::Resource, Some("Rg")),
        ("/subscriptions/s/providers/Microsoft.X/things/t", ScopeKind::Resource, None),
    ];
    for (text, kind, group) in cases {
        assert_eq!(scope(text).kind(), kind, "{text}");
        assert_eq!(scope(text).resource_group_name(), group, "{text}");
    }
    assert_eq!(scope(CLUSTER).resource_type().as_deref(), Some("Microsoft.ContainerService/managedClusters"));
    assert_eq!(
        scope(CLUSTER).child("namespaces", "web").unwrap().resource_type().as_deref(),
        Some("Microsoft.ContainerService/managedClusters/namespaces")
    );
    assert_eq!(scope("/subscriptions/s").resource_type(), None);
    assert_eq!(scope(CLUSTER).subscription_id().unwrap().to_string(), "0b1f6471-1bf0-4dda-aec3-111122223333");
    assert_eq!(scope(CLUSTER).name(), "c1");
}

#[test]
fn comparison_is_by_whole_segments_without_case() {
    assert_eq!(scope(CLUSTER), scope(&CLUSTER.to_uppercase()));
    let group = scope("/subscriptions/s/resourceGroups/rg");
    assert!(group.contains(&scope("/SUBSCRIPTIONS/S/resourcegroups/RG")));
    assert!(group.contains(&scope("/subscriptions/s/resourceGroups/RG/providers/a/b/c")));
    assert!(!group.contains(&scope("/subscriptions/s/resourceGroups/rg2")));
    assert!(!group.contains(&scope("/subscriptions/s")));
    assert!(Scope::root().contains(&group));
}

#[test]
fn a_slash_at_the_end_is_no_part_of_a_scope() {
    let read = scope(&format!("{CLUSTER}/"));
    assert_eq!((&read, read.as_str()), (&scope(CLUSTER), CLUSTER));
    assert_eq!(serde_json::from_str::<Scope>("\"/subscriptions/s/\"").unwrap().as_str(), "/subscriptions/s");
    assert_eq!(scope("/"), Scope::root());
}

#[test]
fn texts_that_are_no_resource_ids_are_refused() {
    let long_name = "x".repeat(261);
    let deep = format!("/providers/a{}", "/b/c".repeat(17));
    for text in [
        "",
        "x",
        "//",
        "/x",
        "/subscriptions",
        "/subscriptions/",
        "/subscriptions/s//",
        "/subscriptions//resourceGroups/x",
        "/subscriptions/s/resourceGroups",
        "/subscriptions/s/things/t",
        "/subscriptions/s/resourceGroups/g/things/t",
        "/subscriptions/s/providers/x",
        "/subscriptions/s/providers/x/y",
        "/subscriptions/s/providers/x/y/z/w",
        "/subscriptions/./resourceGroups/g",
        "/subscriptions/s/resourceGroups/..",
        "/subscriptions/s\0",
        "/subscriptions/a\nb",
        "/subscriptions/ä",
        "/subscriptions/s%2f",
        "/subscriptions/*",
        "/subscriptions/ s",
        &format!("/subscriptions/{long_name}"),
        &format!("/subscriptions/s{}", "/providers/aaaa/bbbbb/ccccc".repeat(60)),
        &deep,
    ] {
        assert!(Scope::parse(text).is_err(), "{text:?}");
    }
    assert!(scope(CLUSTER).child("namespaces", "../x").is_err());
    assert!(scope(CLUSTER).child("namespaces", "a/b/c").is_err());
    assert!(scope(CLUSTER).child("namespaces", "").is_err());
}

#[test]
fn the_stored_form_is_the_text_as_written() {
    let text = format!("\"{CLUSTER}\"");
    let read: Scope = serde_json::from_str(&text).unwrap();
    assert_eq!(serde_json::to_string(&read).unwrap(), text);
    assert!(serde_json::from_str::<Scope>("\"/subscriptions/..\"").is_err());
}

proptest::proptest! {
    #[test]
    fn a_child_is_what_its_text_is_read_as(
        above in proptest::sample::select(&PLACES[..]), kind in "[a-zA-Z./ %]{0,12}|providers|resourceGroups",
        name in "[a-zA-Z.\u{e9} -]{0,8}|[a-z]{255,270}", deep in 0..20_usize,
    ) {
        let above = scope(above);
        let above = (0..deep).fold(above, |above, _| above.child("things", "t").unwrap_or(above));
        let text = format!("{}/{kind}/{name}", above.as_str().trim_end_matches('/'));
        let read = Scope::parse(&text).ok().filter(|_| !kind.contains('/'));
        let child = above.child(&kind, &name).ok();
        proptest::prop_assert_eq!(child.as_ref().map(Scope::as_str), read.as_ref().map(Scope::as_str));
        proptest::prop_assert_eq!(child.as_ref().map(Scope::folded), read.as_ref().map(Scope::folded));
    }
}

const PLACES: [&str; 5] = [
    "/",
    "/subscriptions/s",
    "/subscriptions/providers/resourceGroups/x",
    "/subscriptions/s/resourceGroups/rg/providers/Microsoft.X/Things/T",
    "/providers/Microsoft.Management/managementGroups/top",
];
