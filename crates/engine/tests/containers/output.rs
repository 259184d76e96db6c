//! Logs: nothing lost, nobody held up.

use super::rig::{Rig, eventually, moment};
use dhow_engine::{LogLine, LogOptions, Stream};
use std::ops::ControlFlow;

fn read(rig: &Rig, name: &str, options: &LogOptions) -> String {
    let mut text = Vec::new();
    let mut sink = |line: LogLine<'_>| {
        text.extend_from_slice(line.bytes);
        ControlFlow::Continue(())
    };
    rig.engine.logs(name, options, &mut sink).unwrap();
    String::from_utf8(text).unwrap()
}

#[test]
fn parts_of_a_log() {
    let Some(rig) = Rig::new() else { return };
    let mut options = rig.shell("for i in 1 2 3 4 5; do echo line $i; done; echo -n rest");
    options.name = Some("log".into());
    rig.engine.run_detached(&options).unwrap();
    rig.engine.wait("log").unwrap();
    let tail = |lines| LogOptions {
        tail: Some(lines),
        ..LogOptions::default()
    };
    assert_eq!(read(&rig, "log", &tail(0)), "");
    assert_eq!(read(&rig, "log", &tail(2)), "line 5\nrest");
    assert_eq!(read(&rig, "log", &tail(99)).lines().count(), 6);
    let since = LogOptions {
        since: Some(moment("2999-01-01T00:00:00Z")),
        ..LogOptions::default()
    };
    assert_eq!(read(&rig, "log", &since), "");
    let until = LogOptions {
        until: Some(moment("2001-01-01T00:00:00Z")),
        ..LogOptions::default()
    };
    assert_eq!(read(&rig, "log", &until), "");
    // Following one that has ended ends at once.
    let follow = LogOptions {
        follow: true,
        ..LogOptions::default()
    };
    assert_eq!(read(&rig, "log", &follow).lines().count(), 6);
}

#[test]
fn following_to_the_end() {
    let Some(rig) = Rig::new() else { return };
    let mut options = rig.shell("for i in 1 2 3; do echo $i; sleep 0.1; done; echo end >&2");
    options.name = Some("slow".into());
    rig.engine.run_detached(&options).unwrap();
    let follow = LogOptions {
        follow: true,
        ..LogOptions::default()
    };
    let mut seen = Vec::new();
    let mut sink = |line: LogLine<'_>| {
        assert!(line.line_start && line.time.ends_with('Z'));
        seen.push((line.stream, line.bytes.to_vec()));
        ControlFlow::Continue(())
    };
    rig.engine.logs("slow", &follow, &mut sink).unwrap();
    let expected: Vec<(Stream, Vec<u8>)> = [
        (Stream::Stdout, "1\n"),
        (Stream::Stdout, "2\n"),
        (Stream::Stdout, "3\n"),
        (Stream::Stderr, "end\n"),
    ]
    .map(|(stream, text)| (stream, text.as_bytes().to_vec()))
    .to_vec();
    assert_eq!(seen, expected);
}

#[test]
fn a_flood_is_kept_whole() {
    let Some(rig) = Rig::new() else { return };
    // 64 MiB of lines, and a line of 8 MiB.
    let line = "yes 0123456789012345678901234567890 | head -c 67108864; \
                dd if=/dev/zero bs=65536 count=128 2>/dev/null; echo";
    let mut options = rig.shell(line);
    options.name = Some("flood".into());
    let start = std::time::Instant::now();
    rig.engine.run_detached(&options).unwrap();
    assert_eq!(rig.engine.wait("flood").unwrap().code, 0);
    println!("flood: {:?}", start.elapsed());
    let mut bytes = 0;
    let mut lines = 0;
    let mut sink = |line: LogLine<'_>| {
        bytes += line.bytes.len();
        lines += usize::from(line.line_start);
        ControlFlow::Continue(())
    };
    rig.engine
        .logs("flood", &LogOptions::default(), &mut sink)
        .unwrap();
    assert_eq!(bytes, 67_108_864 + 8_388_608 + 1);
    assert_eq!(lines, 67_108_864 / 32 + 1);
}

#[test]
fn input_and_output_of_any_bytes_and_length_pass_whole() {
    use std::io::{Read as _, Write as _};
    let Some(rig) = Rig::new() else { return };
    let config = rig.engine.config();
    let root = format!("{}:O", rig.directory.join("rootfs").display());
    let mut child = std::process::Command::new(&config.helper)
        .args(["run", "--rm", "-i", "--rootfs", &root, "/bin/cat"])
        .env("DHOW_ROOT", &config.root)
        .env("DHOW_RUN", &config.run)
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    // All pairs of bytes, the detach keys' among them, in a length that fits no buffer.
    let pairs = (0..=u16::MAX).flat_map(u16::to_be_bytes);
    let data: Vec<u8> = pairs.cycle().take(5_000_011).collect();
    let (mut input, mut output) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    let mut seen = Vec::new();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            input.write_all(&data).unwrap();
            drop(input);
        });
        // A reader that begins late holds everybody up, and loses nothing.
        std::thread::sleep(std::time::Duration::from_millis(300));
        output.read_to_end(&mut seen).unwrap();
    });
    assert!(child.wait().unwrap().success());
    assert_eq!(seen.len(), data.len());
    assert!(seen == data);
}

#[test]
fn a_log_with_a_limit_keeps_to_it() {
    let Some(rig) = Rig::new() else { return };
    let mut config = rig.engine.config().clone();
    config.log_max_size = Some(100_000);
    let engine = dhow_engine::Engine::open(config).unwrap();
    let mut options = rig.shell("yes | head -c 1000000; echo last");
    options.name = Some("limited".into());
    engine.run_detached(&options).unwrap();
    engine.wait("limited").unwrap();
    let bundle = engine.inspect("limited").unwrap().bundle;
    for name in ["log", "log.1"] {
        let length = bundle.join(name).metadata().unwrap().len();
        assert!(length <= 100_000, "{name} has {length}");
    }
    assert!(read(&rig, "limited", &LogOptions::default()).ends_with("last\n"));
}

#[test]
fn input_of_nobody_is_empty() {
    let Some(rig) = Rig::new() else { return };
    let (code, text) = rig.finish(&rig.options(&["/bin/cat"]));
    assert_eq!((code, text.as_str()), (0, ""));
}

#[test]
fn background_output_after_the_first_process_is_kept() {
    let Some(rig) = Rig::new() else { return };
    let mut options = rig.shell("echo first; (sleep 0.1; echo never) & exit 0");
    options.name = Some("early".into());
    rig.engine.run_detached(&options).unwrap();
    rig.engine.wait("early").unwrap();
    // The pid namespace ends with its first process.
    eventually("the log is there", || rig.output("early").0 == "first\n");
}
