//! What every command says of itself: what it does, what each argument is, and examples that can be typed as they stand.

use super::*;

/// Each command that does something, with the words that lead to it.
fn leaves(command: &clap::Command, words: &str, found: &mut Vec<(String, clap::Command)>) {
    for each in command.get_subcommands().filter(|each| each.get_name() != "help") {
        let words = format!("{words} {}", each.get_name());
        assert!(each.get_about().is_some(), "{words} does not say what it does");
        match each.has_subcommands() {
            true => leaves(each, &words, found),
            false => found.push((words, each.clone())),
        }
    }
}

fn all() -> Vec<(String, clap::Command)> {
    let mut found = Vec::new();
    let mut root = Arguments::command();
    root.build();
    leaves(&root, "portcullis", &mut found);
    assert!(found.len() > 50, "only {} commands", found.len());
    found
}

/// The command lines of the examples; one that ends in `\` goes on in the next line.
fn examples(command: &clap::Command) -> Vec<String> {
    let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
    let (_, examples) = help.split_once("Examples:\n").unwrap_or_default();
    let lines = examples.replace("\\\n", " ");
    let typed = lines.lines().map(str::trim).filter(|line| line.starts_with("portcullis "));
    // Where it reads from or writes to is the shell's business.
    typed.map(|line| line.split(['<', '>']).next().unwrap().trim().to_owned()).collect()
}

#[test]
fn every_command_explains_itself_and_each_argument() {
    for (words, command) in all() {
        for argument in command.get_arguments().filter(|argument| !argument.is_hide_set()) {
            let told = argument.get_help().is_some_and(|help| !help.to_string().is_empty());
            assert!(told, "{words}: {} is not explained", argument.get_id());
        }
        assert!(!examples(&command).is_empty(), "{words} has no example");
    }
}

#[test]
fn every_example_is_a_command_line_of_that_command() {
    for (words, command) in all() {
        for example in examples(&command) {
            assert!(
                example.starts_with(&format!("{words} ")) || example == words,
                "{example} is none of {words}"
            );
            let split = shell_words(&example);
            if let Err(error) = Arguments::try_parse_from(&split) {
                panic!("{example}: {error}");
            }
        }
    }
}

/// Words as a shell makes them of an example, which quotes with '.
fn shell_words(line: &str) -> Vec<String> {
    let parts = line.split('\'').enumerate().flat_map(|(place, part)| match place % 2 {
        0 => part.split_whitespace().map(str::to_owned).collect::<Vec<_>>(),
        _ => vec![part.to_owned()],
    });
    parts.collect()
}
