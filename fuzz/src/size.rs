//! F-SIZE: sizes in bytes, in the runtime (`update --memory`) and in the engine (`--memory`,
//! `--shm-size`, …), against what docker and podman answer.
//!
//! Their reading (one library for both): a decimal number, one optional space, and `k m g t p` in any
//! case with an optional `b` or `ib`, or `b` alone; powers of 1024; rounded down. It takes more than that,
//! because its number is a float (`1e3`, `0x1p3`, `+1`, twenty decimals): dhow refuses those, and
//! the runtime takes `-1` for unlimited.

use dhow_engine::options::Size;
use dhow_runtime::quantity;

/// Both parsers say what the grammar says.
///
/// # Panics
/// When one does not.
pub fn check(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let runtime = quantity::bytes(text);
    let engine = text.parse::<Size>().ok().map(|size| size.0);
    if text == "-1" {
        assert_eq!((runtime, engine), (Some(-1), None));
        return;
    }
    let runtime = runtime.map(|bytes| u64::try_from(bytes).expect("only -1 is below zero"));
    assert_eq!(runtime, engine, "runtime and engine: {text:?}");
    let theirs = theirs(text);
    match (engine, theirs) {
        // A float has 53 bits: beyond them theirs is the one that is off.
        (Some(ours), Some(theirs)) => {
            let off = (ours as f64 - theirs).abs();
            assert!(off <= 1.0 + theirs / 1e15, "{text:?}: {ours}, not {theirs}");
        }
        (Some(ours), None) => panic!("{text:?}: {ours}, which docker and podman refuse"),
        // Beyond 63 bits theirs is whatever the processor makes of it.
        (None, Some(theirs)) => {
            let fits = theirs < 9_223_372_036_854_774_000.0;
            assert!(!plain(text) || !fits, "{text:?}: refused, not {theirs}");
        }
        (None, None) => {}
    }
}

/// The common grammar, said once more: `D`, `D.`, `.D` or `D.D`, a space, a unit; at most 18 decimals.
fn plain(text: &str) -> bool {
    let number = text.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
    let number = number.strip_suffix(' ').unwrap_or(number);
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    // A leading zero may make the whole part longer than any number.
    digits(whole) && digits(fraction) && whole.len() < 20 && fraction.len() <= 18
}

/// What docker's and podman's library makes of a text; `None` when it refuses.
fn theirs(text: &str) -> Option<f64> {
    let last = text.rfind(|letter: char| "0123456789. ".contains(letter))?;
    let (number, unit) = text.split_at(last + 1);
    let number = number.strip_suffix(' ').unwrap_or(number);
    let size: f64 = number.parse().ok()?;
    let unit = unit.to_ascii_lowercase();
    let power = match unit
        .strip_suffix("ib")
        .or(unit.strip_suffix('b'))
        .unwrap_or(&unit)
    {
        "" if unit != "ib" => 0,
        "k" => 1,
        "m" => 2,
        "g" => 3,
        "t" => 4,
        "p" => 5,
        _ => return None,
    };
    let size = size * 1024f64.powi(power);
    (size >= 0.0).then(|| size.floor())
}
