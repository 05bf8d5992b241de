//! The whole command but its arguments: files in, answers and exit status out.

use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

use serde_json::Value;

use super::{evaluate, read};

const READER: &str = r#"apiVersion: portcullis.io/v1
kind: World
cluster:
  id: /subscriptions/11111111-0000-4000-8000-000000000001/resourceGroups/rg/providers/Microsoft.ContainerService/managedClusters/c1
  azureRbac: true
roleAssignments:
  - id: aaaaaaaa-0000-4000-8000-000000000001
    principalId: 22222222-0000-4000-8000-000000000001
    role: Azure Kubernetes Service RBAC Reader
    scope: /
reviews:
  - name: a reader lists pods
    spec: { user: ann, extra: { oid: [22222222-0000-4000-8000-000000000001] }, resourceAttributes: { verb: list, resource: pods, namespace: web } }
    expect: { decision: allowed }
  - name: nothing is expected here
    spec: { user: ben, nonResourceAttributes: { verb: get, path: /metrics } }
"#;

struct Ran {
    status: u8,
    output: String,
    errors: String,
}

fn run(files: &[PathBuf], json: bool) -> Ran {
    let (mut output, mut errors) = (Vec::new(), Vec::new());
    let now = "2026-11-23T12:00:00Z".parse().unwrap();
    let status = evaluate(files, json, now, &mut output, &mut errors).unwrap();
    Ran { status, output: String::from_utf8(output).unwrap(), errors: String::from_utf8(errors).unwrap() }
}

/// Runs on files with these contents, by these names.
fn run_on(contents: &[(&str, &str)], json: bool) -> Ran {
    let folder = tempfile::tempdir().unwrap();
    let files: Vec<PathBuf> = contents.iter().map(|(name, _)| folder.path().join(name)).collect();
    for (file, (_, text)) in files.iter().zip(contents) {
        fs::write(file, text).unwrap();
    }
    let mut ran = run(&files, json);
    let place = format!("{}/", folder.path().display());
    ran.output = ran.output.replace(&place, "");
    ran.errors = ran.errors.replace(&place, "");
    ran
}

fn corpus(folder: &str, extension: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../corpus").join(folder);
    let entries = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> =
        entries.filter(|path| path.extension().is_some_and(|each| each == extension)).collect();
    files.sort();
    files
}

#[test]
fn every_world_of_the_corpus_holds() {
    for (folder, extension, least) in [("worlds", "yaml", 90), ("azure", "json", 400)] {
        let ran = run(&corpus(folder, extension), true);
        assert_eq!((ran.status, ran.errors.as_str()), (0, ""), "{folder}");
        assert!(ran.output.lines().count() >= least, "{folder}: {} reviews", ran.output.lines().count());
    }
}

/// Without this, a comparison that never differs would pass the test above.
#[test]
fn a_world_of_the_corpus_fails_with_every_expected_decision_changed() {
    for file in corpus("worlds", "yaml") {
        let text = fs::read_to_string(&file).unwrap();
        let expected = text.matches("expect: {").count() + text.matches("expect:\n").count();
        let turned = text
            .replace("{ decision: allowed", "{ decision: ALLOWED")
            .replace("      decision: allowed", "      decision: ALLOWED")
            .replace("decision: denied", "decision: allowed")
            .replace("decision: noOpinion", "decision: allowed")
            .replace("decision: error", "decision: allowed")
            .replace("decision: ALLOWED", "decision: denied");
        let ran = run_on(&[("turned.yaml", &turned)], false);
        assert_eq!(ran.status, 1, "{}", file.display());
        assert_eq!(ran.output.matches("\n  FAIL").count(), expected, "{}\n{}", file.display(), ran.output);
    }
}

#[test]
fn each_review_is_one_line_of_json_with_keys_in_order() {
    let ran = run_on(&[("w.yaml", READER)], true);
    assert_eq!((ran.status, ran.errors.as_str()), (0, ""));
    let reason = "Azure RBAC: allowed by role assignment aaaaaaaa-0000-4000-8000-000000000001 of \\\"Azure Kubernetes \
                  Service RBAC Reader\\\" (7f6c6a51-bcf8-42ba-9220-52d62157d7db) at / to the caller";
    let cluster = "/subscriptions/11111111-0000-4000-8000-000000000001/resourceGroups/rg/providers/\
                   Microsoft.ContainerService/managedClusters/c1";
    let mut expected = String::new();
    writeln!(
        expected,
        "{{\"file\":\"w.yaml\",\"name\":\"a reader lists pods\",\"decision\":\"allowed\",\"reason\":\"{reason}\",\
         \"kubernetesRbac\":{{\"decision\":\"noOpinion\",\"reason\":\"\"}},\
         \"azure\":{{\"decision\":\"allowed\",\"reason\":\"{reason}\",\
         \"actions\":[\"Microsoft.ContainerService/managedClusters/pods/read\"],\
         \"scope\":\"{cluster}/namespaces/web\",\"attributes\":{{}},\
         \"assignment\":\"aaaaaaaa-0000-4000-8000-000000000001\"}}}}"
    )
    .unwrap();
    writeln!(
        expected,
        "{{\"file\":\"w.yaml\",\"name\":\"nothing is expected here\",\"decision\":\"noOpinion\",\
         \"reason\":\"nothing allows it\",\
         \"kubernetesRbac\":{{\"decision\":\"noOpinion\",\"reason\":\"\"}},\
         \"azure\":{{\"decision\":\"noOpinion\",\"reason\":\"\",\
         \"actions\":[\"Microsoft.ContainerService/managedClusters/metrics/read\"],\
         \"scope\":\"{cluster}\",\"attributes\":{{}},\"assignment\":null}}}}"
    )
    .unwrap();
    assert_eq!(ran.output, expected);
}

#[test]
fn the_engine_that_was_not_asked_is_null() {
    let off = READER
        .replace("  azureRbac: true\n", "")
        .replace("expect: { decision: allowed }", "expect: { azure: null }");
    let ran = run_on(&[("w.yaml", &off)], true);
    assert_eq!(ran.status, 0);
    let first: Value = serde_json::from_str(ran.output.lines().next().unwrap()).unwrap();
    assert_eq!(first["azure"], Value::Null);
}

#[test]
fn the_table_shows_each_answer_and_each_difference() {
    let wrong = READER.replace(
        "expect: { decision: allowed }",
        "expect: { decision: denied, azure: { assignment: null } }",
    );
    let ran = run_on(&[("w.yaml", &wrong)], false);
    assert_eq!(ran.status, 1);
    let lines: Vec<&str> = ran.output.lines().collect();
    assert_eq!(lines[0], "w.yaml");
    assert!(
        lines[1].starts_with("  FAIL  a reader lists pods       allowed    Azure RBAC: allowed by"),
        "{}",
        lines[1]
    );
    assert_eq!(lines[2], "        decision: expected \"denied\", found \"allowed\"");
    assert_eq!(
        lines[3],
        "        azure.assignment: expected null, found \"aaaaaaaa-0000-4000-8000-000000000001\""
    );
    assert_eq!(lines[4], "  -     nothing is expected here  noOpinion  nothing allows it");
    assert_eq!(lines[5], "2 reviews in 1 file: 0 as expected, 1 not as expected, 1 without an expectation");
}

#[test]
fn differences_do_not_disturb_the_lines_of_json() {
    let wrong = READER.replace("expect: { decision: allowed }", "expect: { decision: denied }");
    let ran = run_on(&[("w.yaml", &wrong)], true);
    assert_eq!(ran.status, 1);
    assert!(ran.output.lines().all(|line| serde_json::from_str::<Value>(line).is_ok()));
    assert_eq!(ran.errors, "w.yaml: a reader lists pods: decision: expected \"denied\", found \"allowed\"\n");
}

#[test]
fn a_file_that_cannot_be_read_is_named_and_the_others_are_answered() {
    let wrong = READER.replace("expect: { decision: allowed }", "expect: { decision: denied }");
    let ran = run_on(&[("bad.yaml", "kind: ["), ("wrong.yaml", &wrong), ("good.yaml", READER)], true);
    assert_eq!(ran.status, 2);
    assert_eq!(ran.output.lines().count(), 4);
    assert!(ran.errors.starts_with("bad.yaml: "), "{}", ran.errors);
    let ran = run(&[PathBuf::from("/nowhere/w.yaml"), std::env::temp_dir()], false);
    assert_eq!(ran.status, 2);
    assert!(ran.errors.contains("/nowhere/w.yaml: cannot be read: "), "{}", ran.errors);
    assert_eq!(ran.errors.lines().count(), 2);
}

#[test]
fn the_same_world_in_json_gives_the_same_answers() {
    let value: Value = serde_saphyr::from_str(READER).unwrap();
    let json = serde_json::to_string_pretty(&value).unwrap();
    let from_yaml = run_on(&[("w", READER)], true).output;
    for (name, text) in [("w", json.as_str()), ("w.json", json.as_str()), ("w", &json.replace("  ", "\t"))] {
        let ran = run_on(&[(name, text)], true);
        assert_eq!(
            (ran.status, ran.output),
            (0, from_yaml.replace("\"file\":\"w\"", &format!("\"file\":\"{name}\"")))
        );
    }
}

#[test]
fn values_keep_the_text_that_was_written() {
    let text =
        READER.replace("user: ben,", "user: 012,").replace("name: nothing is expected here", "name: yes");
    let ran = run_on(&[("w.yaml", &text)], true);
    assert!(ran.output.contains("\"name\":\"yes\""), "{}", ran.output);
}

/// What follows the two header lines, and the error.
#[test]
fn a_problem_is_told_with_its_key_and_line() {
    let check = |text: &str, expected: &str| {
        let text = format!("apiVersion: portcullis.io/v1\nkind: World\n{text}\n");
        let error = run_on(&[("w.yaml", &text)], false).errors;
        assert!(error.starts_with("w.yaml: ") && error.trim_end().ends_with(expected), "{text}{error}");
    };
    check("clustr: {}", "reviews at line 3, column 1");
    check("cluster:\n  azureRBAC: true", "skipUsersWithoutObjectId at line 4, column 3");
    check(
        "cluster: { customResources: litteral }",
        "expected one of attributes, literal at line 3, column 29",
    );
    check(
        "groups:\n  - { id: ann }",
        "\"ann\" is not a UUID such as 00000000-0000-0000-0000-000000000000 at line 4, column 11",
    );
    check("groups: []\ngroups: []", "key `groups` appears twice at line 4, column 1");
    check("---\nkind: World", "a second YAML document: expected one world in a file at line 4, column 1");
    check(
        "reviews:\n  - { spec: {}, expect: { decison: denied } }",
        "reason, kubernetesRbac, azure at line 4, column 27",
    );
    check(
        "reviews:\n  - { spec: {}, expect: { decision: allow } }",
        "unknown variant `allow`, expected one of allowed, denied, noOpinion, error at line 4, column 37",
    );
    check(
        "kubernetes:\n  - apiVersion: rbac.authorization.k8s.io/v1\n    kind: Role\n    metadata: { name: r }\n    rules:\n      - { verb: [get] }",
        "expected one of verbs, apiGroups, resources, resourceNames, nonResourceURLs at line 8, column 11",
    );
    let assignment = |keys: &str| {
        format!(
            "roleAssignments:\n  - {{ principalId: 22222222-0000-4000-8000-000000000001, scope: /, {keys} }}"
        )
    };
    check(
        &assignment("role: Nobody"),
        "roleAssignments[0].role: \"Nobody\" is not the name, GUID or resource id of a role definition",
    );
    check(
        &assignment("role: 22222222-0000-4000-8000-000000000001"),
        "roleAssignments[0].role: no role definition has the id 22222222-0000-4000-8000-000000000001",
    );
    check(
        &assignment("role: Reader, condition: \"@Request[a] StringIs 'b'\"")
            .replace("Reader", "Azure Kubernetes Service RBAC Reader"),
        "ForAnyOfAnyValues:StringEquals, found \"StringIs\" at line 4, column 123",
    );
    check(
        &assignment("role: Azure Kubernetes Service RBAC Reader, conditionVersion: \"1.0\""),
        "roleAssignments[0].conditionVersion: condition version \"1.0\" is not supported, expected 2.0",
    );
    check(
        "kubernetes:\n  - { apiVersion: v1, kind: Pod, metadata: { name: p } }",
        "of rbac.authorization.k8s.io/v1",
    );
    check(
        "cluster: { azureRbac: true }",
        "cluster.id: expected the resource id of the cluster, since azureRbac is true",
    );
    check(
        "managementGroups: [{ id: a, parent: b }, { id: b, parent: a }]",
        "management group \"a\" is above itself",
    );
}

#[test]
fn a_json_file_tells_its_line_too() {
    let error =
        read::parse("{\"apiVersion\": \"portcullis.io/v1\",\n\"kind\": \"World\",\n\"extra\": 1}", false)
            .unwrap_err();
    assert!(error.contains("unknown field `extra`") && error.ends_with("at line 3 column 7"), "{error}");
    let error = read::parse("{\"apiVersion\":\n", true).unwrap_err();
    assert!(error.contains("EOF") && error.contains("line 2"), "{error}");
}

#[test]
fn hostile_files_are_refused() {
    let header = "apiVersion: portcullis.io/v1\nkind: World\n";
    let mut bomb = format!("{header}a: &a [x, x, x, x, x, x, x, x, x]\n");
    for (name, inner) in "bcdefghi".chars().zip("abcdefgh".chars()) {
        writeln!(
            bomb,
            "{name}: &{name} [*{inner}, *{inner}, *{inner}, *{inner}, *{inner}, *{inner}, *{inner}]"
        )
        .unwrap();
    }
    let deep = format!("{header}reviews: {}{}", "[".repeat(100_000), "]".repeat(100_000));
    let deep_json = format!("{{\"reviews\": {}", "[".repeat(100_000));
    let wrong_type = format!("{header}reviews: 7\n");
    for text in [
        bomb.as_str(),
        &deep,
        &deep_json,
        &wrong_type,
        "",
        "\0",
        "null",
        "[]",
        "%YAML 9",
        "\u{feff}",
        "? : ?",
    ] {
        let ran = run_on(&[("w.yaml", text)], true);
        assert_eq!((ran.status, ran.output.as_str()), (2, ""), "{}", ran.errors);
        assert!(ran.errors.starts_with("w.yaml: ") && ran.errors.lines().count() == 1, "{}", ran.errors);
    }
}

#[test]
fn names_do_not_reach_the_terminal_as_commands() {
    let text = READER.replace("name: a reader lists pods", "name: \"red \\e[31m\\nline\"");
    let ran = run_on(&[("w.yaml", &text)], false);
    assert!(ran.output.contains("red  [31m line") && !ran.output.contains('\u{1b}'), "{:?}", ran.output);
}
