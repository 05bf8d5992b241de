//! Formats the steps as a table: a line for each step, and below it the reason of the decision, wrapped to 80 columns.

use super::step::Step;

/// The table with its heading, and the number of steps with the expected outcome: `17 of 17 as expected`.
pub(super) fn render(steps: &[Step]) -> String {
    let mut text = line("WAY", "WHO", "ASKS FOR", "ANSWER");
    for step in steps {
        let answer = if step.allowed { "allowed" } else { "refused" };
        text += &line(step.way, step.who, &step.what, answer);
        if !step.is_as_expected() {
            let wanted = if step.expected { "allowed" } else { "refused" };
            text += &indented(&format!("NOT EXPECTED: it should be {wanted}"));
        }
        text += &indented(&step.reason);
    }
    let right = steps.iter().filter(|step| step.is_as_expected()).count();
    text += &format!("\n{right} of {} as expected\n", steps.len());
    text
}

fn line(way: &str, who: &str, what: &str, answer: &str) -> String {
    format!("{way:<4} {who:<7} {what:<56} {answer}\n")
}

/// Wraps a text under the third column. A word longer than a line gets its own line.
fn indented(text: &str) -> String {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(last) if last.chars().count() + 1 + word.chars().count() <= WIDTH - INDENT => {
                last.push(' ');
                last.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines.iter().map(|line| format!("{:INDENT$}{line}\n", "")).collect()
}

const WIDTH: usize = 80;
const INDENT: usize = 13;

#[cfg(test)]
mod tests {
    use super::*;

    fn step(allowed: bool, reason: &str) -> Step {
        let what = "nodes of manual, with the certificate".to_owned();
        Step { way: "W1", who: "dave", what, expected: true, allowed, reason: reason.to_owned() }
    }

    #[test]
    fn reasons_are_wrapped_at_words_and_the_steps_counted() {
        let reason =
            "RBAC: allowed by ClusterRoleBinding \"admins\" of ClusterRole \"cluster-admin\" to Group \"x\"";
        let text = render(&[step(true, reason), step(false, "no binding grants it")]);
        let expected = "\
WAY  WHO     ASKS FOR                                                 ANSWER
W1   dave    nodes of manual, with the certificate                    allowed
             RBAC: allowed by ClusterRoleBinding \"admins\" of ClusterRole
             \"cluster-admin\" to Group \"x\"
W1   dave    nodes of manual, with the certificate                    refused
             NOT EXPECTED: it should be allowed
             no binding grants it

1 of 2 as expected
";
        assert_eq!(text, expected);
    }
}
