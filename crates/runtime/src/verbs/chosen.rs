//! The containers that a verb is for: the one with an id, or with `--regex` those whose ids match.

use crate::cli::{Arguments, Flag, Global, Usage, switch, usage_error};
use crate::error::{Error, Result};
use crate::linux::container;
use crate::logging;
use crate::pattern::Pattern;

/// The flag, as crun has it.
pub const REGEX: Flag = switch(
    "regex",
    Some('r'),
    "ID is a regular expression: do it to every container whose id matches",
);

/// Does something to each of them. One that fails does not keep the others from it; the first failure is
/// returned, the others are told.
///
/// # Errors
/// [`Error::Usage`] for what is no regular expression; what `act` returns.
pub fn each(
    global: &Global,
    usage: &Usage,
    arguments: &Arguments,
    word: &str,
    act: impl Fn(&str) -> Result<()>,
) -> Result<u8> {
    if !arguments.is_on(REGEX.name) {
        return act(word).map(|()| 0);
    }
    let pattern = Pattern::parse(word)
        .map_err(|why| usage_error(usage, &format!("--regex: {word:?} {why}")))?;
    let mut first: Option<Error> = None;
    for id in container::ids(&global.root)? {
        let matches = pattern.matches(&id);
        if let Some(error) = matches.then(|| act(&id)).and_then(Result::err) {
            match &first {
                None => first = Some(error),
                Some(_) => logging::failed(global, usage.verb, &error),
            }
        }
    }
    first.map_or(Ok(0), Err)
}
