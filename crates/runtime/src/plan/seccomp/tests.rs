//! Does the program do what the profile says? Three judges: the cases below, a slow and
//! obvious model (any profile, any call), and libseccomp itself where it is installed.

mod cases;
mod libseccomp;
mod profiles;
