//! What a configuration gets wrong, and where.

use std::fmt;

/// A value of the configuration that cannot be carried out, by its JSON path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invalid {
    /// Where, such as `linux.namespaces[2].path`.
    pub path: String,
    /// Why, and what would be right.
    pub reason: String,
}

impl Invalid {
    /// An objection to the value at `path`.
    pub fn new(path: impl Into<String>, reason: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            reason: reason.into(),
        }
    }
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path, self.reason)
    }
}

impl std::error::Error for Invalid {}
