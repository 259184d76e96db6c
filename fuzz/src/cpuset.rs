//! F-CPUSET: lists of processors and memory nodes such as `0-3,7`.
//!
//! Two readers: `process.execCPUAffinity` and `linux.memoryPolicy.nodes` become numbers, `cpu.cpus` and
//! `cpu.mems` are checked and handed to the kernel as they are. The grammar is cpuset(7)'s "List format",
//! read here byte by byte; where the published schema restricts the characters, nothing else passes.

use dhow_cgroup::Resources;
use dhow_runtime::plan::process::number_list;

/// The highest processor that a kernel can be built for.
const HIGHEST: u32 = 8191;

/// Both readers agree with the grammar.
///
/// # Panics
/// When one does not.
pub fn check(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    // The schema: ^[0-9, -]*$. Items may be empty there, and have spaces around.
    let items = text.split(',').map(|item| item.trim_matches(' '));
    let asked = ranges(items.filter(|item| !item.is_empty()), HIGHEST);
    let expected = asked.filter(|_| text.len() <= 1 << 16).map(numbers);
    assert_eq!(number_list(text), expected, "{text:?}");

    for field in ["cpus", "mems"] {
        let document = serde_json::json!({ "cpu": { field: text } });
        let resources: Resources = serde_json::from_value(document).expect("text is text");
        // The kernel strips white space around the whole list, and takes an empty one for "no change".
        let expected =
            text.is_empty() || ranges(text.trim().split(','), u32::from(u16::MAX)).is_some();
        let checked = resources.check();
        assert_eq!(checked.is_ok(), expected, "{field}: {text:?}: {checked:?}");
    }
}

/// `7` and `0-3` as first and last; `None` for anything else.
fn ranges<'a>(items: impl Iterator<Item = &'a str>, highest: u32) -> Option<Vec<(u32, u32)>> {
    let mut all = Vec::new();
    for item in items {
        let ends: Vec<&str> = item.split('-').collect();
        let (first, last) = match ends[..] {
            [one] => (number(one)?, number(one)?),
            [first, last] => (number(first)?, number(last)?),
            _ => return None,
        };
        if first > last || last > highest {
            return None;
        }
        all.push((first, last));
    }
    Some(all)
}

/// Every number within them, once and in order.
fn numbers(mut ranges: Vec<(u32, u32)>) -> Vec<u32> {
    ranges.sort_unstable();
    let mut all = Vec::new();
    let mut next = 0;
    for (first, last) in ranges {
        all.extend(first.max(next)..=last);
        next = next.max(last + 1);
    }
    all
}

fn number(text: &str) -> Option<u32> {
    let mut value = 0u32;
    for byte in text.bytes() {
        let digit = byte.checked_sub(b'0').filter(|digit| *digit <= 9)?;
        value = value.checked_mul(10)?.checked_add(u32::from(digit))?;
    }
    (!text.is_empty()).then_some(value)
}
