//! What must hold when it is repeated and under load.
