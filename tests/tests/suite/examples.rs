//! Every script in `examples/` runs to its end, as it stands, with the programs under test in PATH.

use dhow_tests::{Dhow, Test, for_runtimes, needs};
use std::path::Path;

fn each_runs(test: &Test) {
    needs!(test, busybox);
    let dhow = Dhow::new(test);
    let programs = test.kind().program().expect("checked before the test");
    let programs = programs
        .parent()
        .expect("a directory")
        .display()
        .to_string();
    let path = format!("{programs}:{}", std::env::var("PATH").unwrap_or_default());
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples");
    let mut count = 0;
    for entry in directory.read_dir().expect("examples") {
        let script = entry.expect("entry").path();
        let words = ["sh".to_owned(), script.display().to_string()];
        let command = test.command(&words).env("PATH", &path);
        let command = command
            .env("DHOW_ROOT", dhow.store())
            .env("DHOW_RUN", dhow.run_directory());
        let output = command.run().ok();
        assert!(!output.stdout().is_empty(), "{}", script.display());
        count += 1;
    }
    assert!(count >= 2, "{count} examples");
}

for_runtimes!([Dhow]; each_runs);
