//! One file per part of config.json.
