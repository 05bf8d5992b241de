//! How deep a JSON text is nested, and where it becomes too deep.
//!
//! What is stored wraps what a client sends in levels of its own, and the parser that reads it back has a limit. So
//! bodies are refused well below that limit, by one number for every surface.

/// How deep lists and objects of a request may be nested.
pub const DEEPEST: usize = 64;

/// The JSON pointer (RFC 6901) of the first list or object beyond `DEEPEST` levels; none where there is none.
///
/// Brackets are counted outside strings, so that a text may hold as many as it likes. Texts that are no JSON may be
/// miscounted; the parser refuses those anyway.
pub fn too_deep(bytes: &[u8]) -> Option<String> {
    // Nearly all bodies hold too few brackets to be deep, which is quickly seen.
    if bytes.iter().filter(|byte| matches!(byte, b'{' | b'[')).count() <= DEEPEST {
        return None;
    }
    let mut levels: Vec<Level> = Vec::new();
    let mut text: Option<usize> = None;
    let mut escaped = false;
    for (place, byte) in bytes.iter().enumerate() {
        if let Some(start) = text {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => {
                    text = None;
                    if let Some(Level::Object { name, before_colon: true }) = levels.last_mut() {
                        *name = (start, place);
                    }
                }
                _ => {}
            }
            continue;
        }
        match (byte, levels.last_mut()) {
            (b'"', _) => text = Some(place.saturating_add(1)),
            (b'{' | b'[', _) => {
                if levels.len() >= DEEPEST {
                    return Some(pointer(bytes, &levels));
                }
                levels.push(match byte {
                    b'{' => Level::Object { name: (0, 0), before_colon: true },
                    _ => Level::List { index: 0 },
                });
            }
            (b'}' | b']', _) => drop(levels.pop()),
            (b':', Some(Level::Object { before_colon, .. })) => *before_colon = false,
            (b',', Some(Level::Object { before_colon, .. })) => *before_colon = true,
            (b',', Some(Level::List { index })) => *index += 1,
            _ => {}
        }
    }
    None
}

/// An open list or object, and which of its members is being read.
enum Level {
    /// `name` is where the member's name begins and ends in the text.
    Object {
        name: (usize, usize),
        before_colon: bool,
    },
    List {
        index: usize,
    },
}

fn pointer(bytes: &[u8], levels: &[Level]) -> String {
    let mut pointer = String::new();
    for level in levels {
        if pointer.len() > MOST_POINTER {
            pointer.push_str("/...");
            break;
        }
        pointer.push('/');
        match level {
            Level::List { index } => pointer.push_str(&index.to_string()),
            Level::Object { name: (start, end), .. } => {
                let name = String::from_utf8_lossy(bytes.get(*start..*end).unwrap_or_default());
                let shown: String = name.chars().take(MOST_NAME).collect();
                pointer.push_str(&shown.replace('~', "~0").replace('/', "~1"));
            }
        }
    }
    pointer
}

/// Of a pointer that is shown.
const MOST_POINTER: usize = 160;
/// Of one name in it, in characters.
const MOST_NAME: usize = 60;
