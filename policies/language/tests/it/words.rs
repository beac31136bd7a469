//! Agreements in words: what `render`, `lint`, `register` and the presets say.

mod leaves;
mod plain_english;
mod readable;
mod register;
mod whole;
mod writers;
