//! Nothing: with the feature `cases`, this package is a list of the crates that the cases in `ui` use.
