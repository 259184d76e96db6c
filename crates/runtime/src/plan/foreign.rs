//! Whether a document is for this platform and this version of the specification at all.
//!
//! Source: config.md (Specification version, Platform-specific configuration).

use super::invalid::Invalid;
use crate::spec::Spec;

/// Checks `ociVersion`: three numbers with dots, as <https://semver.org> has them, of a version that is
/// compatible with ours.
///
/// # Errors
/// [`Invalid`] when it is missing, no version, or of another major one.
pub fn version(text: &str) -> Result<(), Invalid> {
    let refuse = |reason: String| Err(Invalid::new("ociVersion", reason));
    if text.is_empty() {
        return refuse("is missing".into());
    }
    let Some(major) = major(text) else {
        return refuse(format!("{text:?} is no version such as 1.3.0"));
    };
    if major == 1 {
        return Ok(());
    }
    refuse(format!(
        "{text:?} is not supported; this runtime follows 1.x"
    ))
}

/// The first number of a version in the form of SemVer 2.0.0.
fn major(text: &str) -> Option<u32> {
    let (rest, build) = text.split_once('+').unwrap_or((text, "0"));
    let (numbers, early) = rest.split_once('-').unwrap_or((rest, "0"));
    let word = |word: &str| {
        !word.is_empty()
            && word
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    let number = |text: &str| {
        let plain = text.bytes().all(|byte| byte.is_ascii_digit());
        let led_by_zero = text.len() > 1 && text.starts_with('0');
        text.parse::<u32>().ok().filter(|_| plain && !led_by_zero)
    };
    let numbers: Vec<u32> = numbers.split('.').map(number).collect::<Option<_>>()?;
    let fits = numbers.len() == 3 && early.split('.').all(word) && build.split('.').all(word);
    fits.then_some(numbers[0])
}

/// Refuses what only another platform could do. Unknown properties are ignored, as config.md demands; these
/// are known, and whoever wrote them wants something that would not happen.
///
/// # Errors
/// [`Invalid`], naming the property.
pub fn refuse(spec: &Spec) -> Result<(), Invalid> {
    let process = spec.process.as_ref();
    let properties = [
        (
            "vm",
            spec.vm.is_some(),
            "this runtime starts no virtual machines",
        ),
        (
            "solaris",
            spec.solaris.is_some(),
            "this is a bundle for Solaris",
        ),
        ("zos", spec.zos.is_some(), "this is a bundle for z/OS"),
        (
            "freebsd",
            spec.freebsd.is_some(),
            "this is a bundle for FreeBSD",
        ),
        (
            "process.commandLine",
            process.is_some_and(|process| process.command_line.is_some()),
            "is for Windows only; give process.args",
        ),
        (
            "process.user.username",
            process.is_some_and(|process| process.user.username.is_some()),
            "is for Windows only; give process.user.uid",
        ),
    ];
    match properties.into_iter().find(|(_, given, _)| *given) {
        Some((path, _, why)) => Err(Invalid::new(path, why)),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_semantic() {
        for good in [
            "1.0.0",
            "1.3.0",
            "1.0.2-dev",
            "1.9.0-rc.1+build.7",
            "1.0.0+x",
        ] {
            assert!(version(good).is_ok(), "{good}");
        }
        for (bad, why) in [
            ("", "is missing"),
            ("1", "no version"),
            ("1.3", "no version"),
            ("1.3.0.0", "no version"),
            ("01.3.0", "no version"),
            ("1.3.x", "no version"),
            ("1.3.0-", "no version"),
            ("1.+3.0", "no version"),
            ("v1.3.0", "no version"),
            ("0.5.0", "follows 1.x"),
            ("2.0.0", "follows 1.x"),
        ] {
            let error = version(bad).expect_err(bad);
            assert!(
                error.path == "ociVersion" && error.reason.contains(why),
                "{error}"
            );
        }
    }
}
