# A menu; the work is in `cargo xtask`.

_:
    @just --list

# what CI runs
ready *FLAGS:
    cargo xtask test {{FLAGS}}

# checks and unit tests only
quick:
    cargo xtask test --quick

# the tests whose name contains WORD
only WORD:
    cargo xtask test {{WORD}}

# speed beside runc, crun and a bare floor
bench *FLAGS:
    cargo xtask bench runtime {{FLAGS}}

# format the code
fmt:
    cargo fmt --all
