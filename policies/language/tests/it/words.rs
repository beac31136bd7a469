//! Agreements in words: what `render`, `lint`, `register` and the presets say.

mod advice;
mod documents;
mod leaves;
mod mistakes;
mod plain_english;
mod presets;
mod readable;
mod register;
mod revisions;
mod whole;
mod writers;
