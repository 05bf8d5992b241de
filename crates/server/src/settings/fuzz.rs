//! Settings as nobody writes them: read or refused, in time and in words.

use fuzzing::{says_something, text};

use super::{SettingsFile, check_url, parse_address};

#[test]
fn settings_files() {
    let file = "data_dir = '/data'\nlisten = '127.0.0.1:8443'\nexternal_url = \"https://id.example\"\nlog_format = 'json'\n\
                refresh_reuse_seconds = 60\n[tls]\ncertificate = 'c'\nkey = 'k'\n[[authority]]\nname = 'a'\n\
                issuer = 'https://x/y/v2.0'\nclient_id = 'c'\n";
    text(&[file], &["[[authority]]\n", "[tls]\n", "\"\"\"", "= [", "= {a="], |text| {
        if let Err(error) = toml::from_str::<SettingsFile>(text) {
            says_something(error);
        }
    });
}

#[test]
fn addresses() {
    text(&["https://id.example:8443", "127.0.0.1:8443", "[::1]:1"], &["//", "@", "http://"], |text| {
        if let Err(error) = check_url(text) {
            says_something(error);
        }
        if let Err(error) = parse_address(text) {
            says_something(error);
        }
    });
}
