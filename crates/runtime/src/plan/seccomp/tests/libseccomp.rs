//! S-SECEQ: the same profiles, compiled by libseccomp, must give the same answers.
//!
//! Skipped, with the reason, where there is no C compiler or no libseccomp. Three differences
//! are meant and counted, never more: calls newer than the profile (libseccomp has no such
//! notion, runc adds it), rules of different actions that hold at once (libseccomp promises no
//! order), and rules with conditions behind `socketcall` and `ipc` (we do not open that way).
//! And some of its programs for such wild profiles are wrong in themselves; they are counted.

use std::collections::HashSet;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;

use super::profiles::situation;
use crate::plan::seccomp::abi::Abi;
use crate::plan::seccomp::calls::Call;
use crate::plan::seccomp::compile;
use crate::plan::seccomp::oracle::caller::{Caller, MACHINES};
use crate::plan::seccomp::oracle::interpreter::{run, sound};
use crate::plan::seccomp::oracle::model::{judge, value};
use crate::plan::seccomp::program::Instruction;
use crate::plan::seccomp::table::TABLE;
use crate::spec::seccomp::{Architecture, Argument, Operator, Rule, Seccomp};

/// Profiles, and calls per profile; `DHOW_SECCOMP_PROFILES` asks for more profiles.
const USUAL: (usize, usize) = (400, 300);
/// With `DHOW_LONG=1`.
const LONG: (usize, usize) = (10_000, 1_000);

/// A running helper; ends when its input closes.
pub(super) struct Oracle {
    child: Child,
    input: Option<ChildStdin>,
    output: ChildStdout,
    directory: PathBuf,
}

impl Oracle {
    /// Builds and starts the helper, or says why that is impossible here.
    pub(super) fn start(name: &str) -> Result<Oracle, String> {
        let unique = format!("dhow-seccomp-{name}-{}", std::process::id());
        let directory = std::env::temp_dir().join(unique);
        std::fs::create_dir_all(&directory).unwrap();
        let result = Oracle::start_in(&directory);
        if result.is_err() {
            std::fs::remove_dir_all(&directory).unwrap();
        }
        result
    }

    fn start_in(directory: &Path) -> Result<Oracle, String> {
        let source = directory.join("oracle.c");
        let binary = directory.join("oracle");
        std::fs::write(&source, include_str!("libseccomp.c")).unwrap();
        let built = Command::new("cc")
            .args([&source, Path::new("-o"), &binary, Path::new("-ldl")])
            .output()
            .map_err(|error| format!("no C compiler: {error}"))?;
        if !built.status.success() {
            return Err(String::from_utf8_lossy(&built.stderr).into());
        }
        let mut child = helper(&binary);
        let mut oracle = Oracle {
            input: child.stdin.take(),
            output: child.stdout.take().unwrap(),
            child,
            directory: directory.into(),
        };
        let empty = "2147418112 1 1 3221225534 0\n";
        oracle
            .ask(empty)
            .map(|_| oracle)
            .ok_or_else(|| "libseccomp.so.2 is not installed".into())
    }

    /// libseccomp's program for one request; `None` when the helper has ended.
    fn ask(&mut self, request: &str) -> Option<Option<Vec<u8>>> {
        let input = self.input.as_mut()?;
        input.write_all(request.as_bytes()).ok()?;
        let mut head = [0; 4];
        self.output.read_exact(&mut head).ok()?;
        let length = u32::from_ne_bytes(head);
        if length == u32::MAX {
            return Some(None);
        }
        let mut bytes = vec![0; length as usize];
        self.output.read_exact(&mut bytes).ok()?;
        Some(Some(bytes))
    }

    /// The program libseccomp makes of `profile`, used the way runc uses it; `None` if it
    /// refuses or takes longer than two seconds.
    pub(super) fn compile(
        &mut self,
        profile: &Seccomp,
        native: Architecture,
    ) -> Option<Vec<Instruction>> {
        let Some(answer) = self.ask(&request(profile, native)) else {
            self.restart();
            return None;
        };
        let bytes = answer?;
        let big_endian = Abi::of(native).unwrap().big_endian;
        let decode = |chunk: &[u8]| {
            let [c0, c1, jt, jf, k @ ..]: [u8; 8] = chunk.try_into().unwrap();
            let (code, k) = if big_endian {
                (u16::from_be_bytes([c0, c1]), u32::from_be_bytes(k))
            } else {
                (u16::from_le_bytes([c0, c1]), u32::from_le_bytes(k))
            };
            Instruction { code, jt, jf, k }
        };
        Some(bytes.chunks(8).map(decode).collect())
    }
}

impl Oracle {
    /// The helper ends itself when the library takes too long over a profile.
    fn restart(&mut self) {
        self.input = None;
        self.child.wait().unwrap();
        self.child = helper(&self.directory.join("oracle"));
        self.input = self.child.stdin.take();
        self.output = self.child.stdout.take().unwrap();
    }

    /// What the library calls each `(interface, name)`: a number, or negative without one.
    fn numbers(&self, pairs: &[(&Abi, &str)]) -> Vec<i64> {
        let lines = pairs
            .iter()
            .map(|(abi, name)| format!("{} {name}\n", token(abi)));
        let questions = self.directory.join("numbers");
        std::fs::write(&questions, lines.collect::<String>()).unwrap();
        let answers = Command::new(self.directory.join("oracle"))
            .arg("numbers")
            .stdin(std::fs::File::open(&questions).unwrap())
            .output()
            .unwrap();
        let text = String::from_utf8(answers.stdout).unwrap();
        let numbers: Vec<i64> = text.lines().map(|line| line.parse().unwrap()).collect();
        assert_eq!(numbers.len(), pairs.len());
        numbers
    }

    /// Names for which the library invented the same number on this host. It translates rules
    /// by number, so for another machine it takes one for the other.
    fn ambiguous_names(&self) -> HashSet<&'static str> {
        let host = Abi::of(Architecture::native().unwrap()).unwrap();
        let pairs: Vec<_> = TABLE.iter().map(|(name, _)| (host, *name)).collect();
        let numbers = self.numbers(&pairs);
        let twice = |number| numbers.iter().filter(|one| **one == number).count() > 1;
        let named = pairs.iter().zip(&numbers);
        let ambiguous = named.filter(|(_, number)| **number < -1 && twice(**number));
        ambiguous.map(|((_, name), _)| *name).collect()
    }

    /// Names the installed library is too old to know in some interface of `MACHINES`. Every
    /// number it does know must be ours.
    fn unknown_names(&self) -> HashSet<&'static str> {
        let abis = MACHINES
            .iter()
            .flat_map(|(one, others)| [*one].into_iter().chain(others.iter().copied()));
        let abis: Vec<&Abi> = abis.filter_map(Abi::of).collect();
        let names = TABLE.iter().map(|(name, _)| *name);
        let pairs: Vec<(&Abi, &'static str)> = names
            .flat_map(|name| abis.iter().map(move |abi| (*abi, name)))
            .collect();
        let mut unknown = self.ambiguous_names();
        for ((abi, name), theirs) in pairs.iter().zip(self.numbers(&pairs)) {
            let ours = Call::named(name).unwrap().cell(abi);
            let ours = ours.map(|cell| i64::from(abi.number(cell)));
            match ours {
                _ if theirs >= 0 => assert_eq!(ours, Some(theirs), "{name} {abi:?}"),
                // Calls with a second door have a number of libseccomp's own invention.
                Some(_) if !(-300..=-100).contains(&theirs) => {
                    unknown.insert(*name);
                }
                _ => {}
            }
        }
        unknown
    }
}

impl Drop for Oracle {
    fn drop(&mut self) {
        self.input = None;
        let _ended = self.child.wait();
        let _removed = std::fs::remove_dir_all(&self.directory);
    }
}

fn helper(binary: &Path) -> Child {
    let mut command = Command::new(binary);
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    command.spawn().unwrap()
}

fn request(profile: &Seccomp, native: Architecture) -> String {
    let default = value(profile.default_action, profile.default_errno_ret);
    let own = Abi::of(native).unwrap();
    let mut tokens = vec![token(own)];
    for abi in profile.architectures.iter().filter_map(|one| Abi::of(*one)) {
        if abi.meets(own) && !tokens.contains(&token(abi)) {
            tokens.push(token(abi));
        }
    }
    let mut rules = Vec::new();
    for rule in &profile.syscalls {
        let action = value(rule.action, rule.errno_ret);
        if action != default {
            rules.extend(rule.names.iter().flat_map(|name| lines(name, action, rule)));
        }
    }
    // As runc does: the tree only for longer profiles.
    let optimize = if rules.len() > 32 { 2 } else { 1 };
    let tokens: Vec<String> = tokens.iter().map(u32::to_string).collect();
    format!(
        "{default} {optimize} {} {} {} {}\n",
        tokens.len(),
        tokens.join(" "),
        rules.len(),
        rules.join(" ")
    )
}

fn audits(profile: &Seccomp, native: Architecture) -> impl Iterator<Item = u32> {
    let all = [native]
        .into_iter()
        .chain(profile.architectures.iter().copied());
    all.filter_map(Abi::of).map(|abi| abi.audit)
}

/// libseccomp's name for an interface is the kernel's, except for x32.
fn token(abi: &Abi) -> u32 {
    if abi.is_x32() { 0x4000_003e } else { abi.audit }
}

fn lines(name: &str, action: u32, rule: &Rule) -> Vec<String> {
    let twice = (0..6).any(|index| rule.args.iter().filter(|one| one.index == index).count() > 1);
    let line = |args: &[Argument]| {
        let mut line = format!("{name} {action} {}", args.len());
        for one in args {
            let op = match one.op {
                Operator::NotEqual => 1,
                Operator::Less => 2,
                Operator::LessOrEqual => 3,
                Operator::Equal => 4,
                Operator::GreaterOrEqual => 5,
                Operator::Greater => 6,
                Operator::MaskedEqual => 7,
            };
            let two = one.value_two;
            line += &format!(" {} {op} {} {two}", one.index, one.value);
        }
        line
    };
    if twice {
        rule.args.chunks(1).map(line).collect()
    } else {
        vec![line(&rule.args)]
    }
}

/// How many profiles, and how many calls for each.
fn counts() -> (usize, usize) {
    let is_long = std::env::var_os("DHOW_LONG").is_some();
    let (profiles, calls) = if is_long { LONG } else { USUAL };
    let asked = std::env::var("DHOW_SECCOMP_PROFILES");
    let profiles = asked.map_or(profiles, |text| text.parse().unwrap());
    (profiles, calls)
}

#[test]
fn libseccomp_agrees() {
    let mut oracle = match Oracle::start("agrees") {
        Ok(oracle) => oracle,
        Err(reason) => {
            println!("skipped: {reason}");
            return;
        }
    };
    let (profiles, calls) = counts();
    let unknown = oracle.unknown_names();
    let mut runner = TestRunner::deterministic();
    let (mut compared, mut newer, mut contested, mut doors) = (0, 0, 0, 0);
    let (mut refused, mut unsound) = (0, 0);
    for _ in 0..profiles {
        let tree = situation().new_tree(&mut runner).unwrap();
        let (native, mut profile, seed) = tree.current();
        for rule in &mut profile.syscalls {
            rule.names.retain(|name| !unknown.contains(name.as_str()));
        }
        profile.syscalls.retain(|rule| !rule.names.is_empty());
        let ours = compile(&profile, native).unwrap();
        let Some(theirs) = oracle.compile(&profile, native) else {
            refused += 1;
            continue;
        };
        let audits: Vec<u32> = audits(&profile, native).collect();
        if !sound(&theirs, &audits) {
            unsound += 1;
            continue;
        }
        let big_endian = Abi::of(native).unwrap().big_endian;
        let mut caller = Caller::new(&profile, native, seed);
        for _ in 0..calls {
            let seen = caller.call();
            let verdict = judge(&profile, native, &seen);
            let excuses = [
                (verdict.newer, &mut newer),
                (verdict.contested, &mut contested),
                (verdict.behind_door, &mut doors),
            ];
            if let Some((_, count)) = excuses.into_iter().find(|(excused, _)| *excused) {
                *count += 1;
                continue;
            }
            let (mine, _) = run(&ours.instructions, &seen, big_endian);
            let (mut other, _) = run(&theirs, &seen, big_endian);
            if big_endian && other != mine {
                // 2.6.1 on a little-endian host forgets to turn some return values round.
                other = other.swap_bytes();
            }
            assert_eq!(mine, other, "{native:?} {seen:x?}\n{profile:#x?}");
            compared += 1;
        }
    }
    println!(
        "{compared} answers equal; left out: {newer} newer, {contested} contested, \
         {doors} behind doors, {refused} profiles libseccomp refused, {unsound} it got wrong"
    );
    assert!(compared > profiles * calls / 4, "too few comparisons");
    assert!(refused * 2 < profiles, "too many refusals");
    assert!(unsound * 3 < profiles, "too many wrong programs");
}
