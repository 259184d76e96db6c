//! One tracer over all processes of the command, by ptrace(2).

#[path = "short.rs"]
mod short;

use nix::sys::ptrace::{self, Options};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;
use std::collections::HashMap;
use std::fmt::Write as _;
use std::process::{Command, ExitCode};
use syscalls::Sysno;

/// Ours by the name of their file, also when that is a copy in memory.
const OURS: &str = "dhow-";

/// What libc and the standard library do before `main`: not ours to answer for.
const START_UP: [Sysno; 9] = [
    Sysno::arch_prctl,
    Sysno::set_tid_address,
    Sysno::poll,
    Sysno::rt_sigaction,
    Sysno::rt_sigprocmask,
    Sysno::sigaltstack,
    Sysno::mmap,
    Sysno::mprotect,
    Sysno::brk,
];

/// What the manual says is always successful is no point.
const CANNOT_FAIL: [Sysno; 10] = [
    Sysno::exit,
    Sysno::exit_group,
    Sysno::getpid,
    Sysno::getppid,
    Sysno::gettid,
    Sysno::getuid,
    Sysno::geteuid,
    Sysno::getgid,
    Sysno::getegid,
    Sysno::umask,
];

/// In the register for the answer while a call goes in: -ENOSYS.
const NO_ANSWER_YET: u64 = (-38_i64).cast_unsigned();

/// What shall happen, and where.
enum Plan {
    List { file: String, lines: String },
    Fail { at: (usize, usize), errno: i64 },
    Short { at: (usize, usize) },
    Kill { at: (usize, usize) },
}

/// A process under the tracer.
struct Tracee {
    ordinal: usize,
    /// Calls that counted so far.
    count: usize,
    /// It runs a program of ours.
    is_ours: bool,
    /// Past what happens before `main`.
    has_begun: bool,
    /// It has executed something since it was made.
    has_executed: bool,
    /// Between a call's entry and its end.
    is_inside: bool,
    /// What the current call shall answer.
    answer: Option<i64>,
}

/// Reads the command line and does it.
pub(crate) fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let Some((plan, command)) = read(&words) else {
        eprintln!(
            "usage: inject list FILE|fail PROCESS INDEX ERRNO|short PROCESS INDEX|kill PROCESS INDEX -- COMMAND…"
        );
        return ExitCode::FAILURE;
    };
    match Tracer::start(plan, command).and_then(Tracer::run) {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            eprintln!("inject: {error}");
            ExitCode::FAILURE
        }
    }
}

fn read(words: &[String]) -> Option<(Plan, &[String])> {
    let end = words.iter().position(|word| word == "--")?;
    let (own, command) = (&words[..end], &words[end + 1..]);
    let number = |at: usize| own.get(at)?.parse::<usize>().ok();
    let plan = match own.first()?.as_str() {
        "list" => Plan::List {
            file: own.get(1)?.clone(),
            lines: String::new(),
        },
        "fail" => Plan::Fail {
            at: (number(1)?, number(2)?),
            errno: own.get(3)?.parse().ok()?,
        },
        "short" => Plan::Short {
            at: (number(1)?, number(2)?),
        },
        "kill" => Plan::Kill {
            at: (number(1)?, number(2)?),
        },
        _ => return None,
    };
    (!command.is_empty()).then_some((plan, command))
}

struct Tracer {
    plan: Plan,
    main: Pid,
    tracees: HashMap<Pid, Tracee>,
}

impl Tracer {
    /// Starts the command behind a shell that stops until it is traced.
    fn start(plan: Plan, command: &[String]) -> Result<Self, String> {
        let stopped = "kill -STOP $$; exec \"$@\"";
        let child = Command::new("/bin/sh")
            .args(["-c", stopped, "sh"])
            .args(command)
            .spawn()
            .map_err(|error| format!("cannot start /bin/sh: {error}"))?;
        let main = Pid::from_raw(i32::try_from(child.id()).map_err(|error| error.to_string())?);
        waitpid(main, Some(WaitPidFlag::WUNTRACED)).map_err(|error| said("waitpid", error))?;
        // Without EXITKILL: what outlives the command is let go when this process ends.
        let options = Options::PTRACE_O_TRACESYSGOOD
            | Options::PTRACE_O_TRACEEXEC
            | Options::PTRACE_O_TRACEFORK
            | Options::PTRACE_O_TRACEVFORK
            | Options::PTRACE_O_TRACECLONE;
        ptrace::seize(main, options).map_err(|error| said("ptrace(SEIZE)", error))?;
        kill(main, Signal::SIGCONT).map_err(|error| said("kill", error))?;
        let mut tracer = Self {
            plan,
            main,
            tracees: HashMap::new(),
        };
        tracer.note(main, false);
        Ok(tracer)
    }

    fn note(&mut self, pid: Pid, is_ours: bool) -> &mut Tracee {
        let ordinal = self.tracees.len();
        self.tracees.entry(pid).or_insert(Tracee {
            ordinal,
            count: 0,
            is_ours,
            has_begun: is_ours,
            has_executed: false,
            is_inside: false,
            answer: None,
        })
    }

    /// Follows everything until the command itself has ended.
    fn run(mut self) -> Result<u8, String> {
        loop {
            let status = waitpid(None, Some(WaitPidFlag::__WALL));
            let ended = match status.map_err(|error| said("waitpid", error))? {
                WaitStatus::Exited(pid, code) => (pid == self.main).then_some(code),
                WaitStatus::Signaled(pid, signal, _) => {
                    (pid == self.main).then_some(128 + signal as i32)
                }
                WaitStatus::PtraceSyscall(pid) => {
                    self.call(pid);
                    None
                }
                WaitStatus::PtraceEvent(pid, _, event) => {
                    self.event(pid, event);
                    None
                }
                WaitStatus::Stopped(pid, signal) => {
                    let _ = ptrace::syscall(pid, signal);
                    None
                }
                _ => None,
            };
            if let Some(code) = ended {
                return self.finish(code);
            }
        }
    }

    fn finish(self, code: i32) -> Result<u8, String> {
        if let Plan::List { file, lines } = &self.plan {
            std::fs::write(file, lines).map_err(|error| format!("cannot write {file}: {error}"))?;
        }
        Ok(u8::try_from(code).unwrap_or(255))
    }

    fn event(&mut self, pid: Pid, event: i32) {
        let is = |known: ptrace::Event| event == known as i32;
        if is(ptrace::Event::PTRACE_EVENT_EXEC) {
            let program = std::fs::read_link(format!("/proc/{pid}/exe")).unwrap_or_default();
            let name = program
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            let is_ours = name.trim_start_matches("memfd:").starts_with(OURS);
            let was_ours = self.note(pid, false).is_ours;
            let tracee = self.note(pid, false);
            (tracee.is_ours, tracee.has_begun) = (is_ours, false);
            tracee.has_executed = true;
            if was_ours && !is_ours {
                let _ = ptrace::detach(pid, None);
                return;
            }
        } else if [
            ptrace::Event::PTRACE_EVENT_FORK,
            ptrace::Event::PTRACE_EVENT_VFORK,
            ptrace::Event::PTRACE_EVENT_CLONE,
        ]
        .into_iter()
        .any(is)
            && let Ok(child) = ptrace::getevent(pid)
        {
            let is_ours = self.note(pid, false).is_ours;
            let child = self.note(Pid::from_raw(i32::try_from(child).unwrap_or(0)), is_ours);
            // It may have been seen before it was announced, and be another program already.
            if !child.has_executed {
                (child.is_ours, child.has_begun) = (is_ours, true);
            }
        }
        let _ = ptrace::syscall(pid, None);
    }

    /// A call begins or ends.
    fn call(&mut self, pid: Pid) {
        self.note(pid, false);
        let Some(tracee) = self.tracees.get_mut(&pid) else {
            return;
        };
        // A new process may first come out of the call that made it; what goes in shows ENOSYS as yet.
        let goes_in = ptrace::getregs(pid).is_ok_and(|registers| registers.rax == NO_ANSWER_YET);
        tracee.is_inside = !tracee.is_inside && goes_in;
        if tracee.is_inside {
            self.enters(pid);
        } else if let Some(answer) = tracee.answer.take()
            && let Ok(mut registers) = ptrace::getregs(pid)
        {
            registers.rax = (-answer).cast_unsigned();
            let _ = ptrace::setregs(pid, registers);
        }
        let _ = ptrace::syscall(pid, None);
    }

    fn enters(&mut self, pid: Pid) {
        let Some(tracee) = self.tracees.get_mut(&pid) else {
            return;
        };
        let Ok(mut registers) = ptrace::getregs(pid) else {
            return;
        };
        let number = usize::try_from(registers.orig_rax).unwrap_or(usize::MAX);
        let Some(call) = Sysno::new(number).filter(|_| tracee.is_ours) else {
            return;
        };
        tracee.has_begun |= !START_UP.contains(&call);
        if !tracee.has_begun || CANNOT_FAIL.contains(&call) {
            return;
        }
        let here = (tracee.ordinal, tracee.count);
        tracee.count += 1;
        match &mut self.plan {
            Plan::List { lines, .. } => {
                let may_be_short = match short::may_be(pid, call, &mut registers) {
                    true => " short",
                    false => "",
                };
                // Writing to a string cannot fail.
                let _ = writeln!(lines, "{} {} {}{may_be_short}", here.0, here.1, call.name());
            }
            Plan::Fail { at, errno } if *at == here => {
                // A close that fails has closed nevertheless (close(2)); everything else has not happened.
                if call != Sysno::close {
                    registers.orig_rax = u64::MAX;
                }
                if ptrace::setregs(pid, registers).is_ok() {
                    tracee.answer = Some(*errno);
                }
            }
            Plan::Short { at } if *at == here => {
                if short::may_be(pid, call, &mut registers)
                    && let Some(count) = short::count(call, &mut registers)
                {
                    *count = 1;
                    let _ = ptrace::setregs(pid, registers);
                }
            }
            Plan::Kill { at } if *at == here => {
                let _ = kill(pid, Signal::SIGKILL);
            }
            _ => {}
        }
    }
}

fn said(call: &str, errno: nix::Error) -> String {
    format!("{call}: {errno}")
}
