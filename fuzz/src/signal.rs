//! F-SIGNAL: names and numbers of signals, in the runtime (`kill`) and in the engine (`--signal`,
//! `--stop-signal`, an image's `StopSignal`), against a table.
//!
//! The table is that of docker and podman (signal(7) on x86, Arm and RISC-V): any case, with or
//! without `SIG`; numbers from 1; real-time signals counted from both ends. Theirs ends at `RTMIN+15`
//! and `RTMAX-14`, ours reaches all of them from either end. What they read more loosely is refused
//! here on purpose: a sign before a number.

use dhow_runtime::plan::signals;

/// Number and names.
const TABLE: &str = "1 HUP 2 INT 3 QUIT 4 ILL 5 TRAP 6 ABRT 6 IOT 7 BUS 8 FPE 9 KILL 10 USR1 11 SEGV 12 USR2 \
    13 PIPE 14 ALRM 15 TERM 16 STKFLT 17 CHLD 17 CLD 18 CONT 19 STOP 20 TSTP 21 TTIN 22 TTOU 23 URG 24 XCPU \
    25 XFSZ 26 VTALRM 27 PROF 28 WINCH 29 IO 29 POLL 30 PWR 31 SYS";
/// The real-time signals that programs see.
const REAL_TIME: std::ops::RangeInclusive<u8> = 34..=64;

/// Both parsers say what the table says.
///
/// # Panics
/// When one does not.
pub fn check(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let expected = expected(text);
    // An old name for 31 that no engine knows and that C programs may still write.
    let unused = matches!(text.to_ascii_uppercase().as_str(), "UNUSED" | "SIGUNUSED");
    let runtime = if unused { Some(31) } else { expected };
    assert_eq!(signals::number(text), runtime, "the runtime: {text:?}");
    let engine = dhow_engine::fuzzing::signal(text).ok();
    assert_eq!(engine, expected, "the engine: {text:?}");
}

fn expected(text: &str) -> Option<u8> {
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        let digits = text.trim_start_matches('0');
        return (1..=64u8).find(|number| number.to_string() == digits);
    }
    let upper = text.to_ascii_uppercase();
    let name = upper.strip_prefix("SIG").unwrap_or(&upper);
    let words: Vec<&str> = TABLE.split_ascii_whitespace().collect();
    let listed = words.chunks(2).find(|pair| pair[1] == name);
    if let Some(pair) = listed {
        return pair[0].parse().ok();
    }
    REAL_TIME.into_iter().find(|number| {
        let (above, below) = (number - REAL_TIME.start(), REAL_TIME.end() - number);
        let mut names = vec![format!("RTMIN+{above}"), format!("RTMAX-{below}")];
        names.extend((above == 0).then(|| "RTMIN".to_owned()));
        names.extend((below == 0).then(|| "RTMAX".to_owned()));
        names.iter().any(|one| one == name)
    })
}
