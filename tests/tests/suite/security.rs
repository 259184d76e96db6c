//! One test per row of the catalogue of attacks, by id.
