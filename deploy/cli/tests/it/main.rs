//! What people, scripts and drivers rely on, tried on the real binary; and the style of the whole repository.

#[cfg(test)]
mod acro;
#[cfg(test)]
mod adbc;
#[cfg(test)]
mod approved;
#[cfg(test)]
mod attacks;
#[cfg(test)]
mod board;
#[cfg(test)]
mod bounds;
#[cfg(test)]
mod byzantine;
#[cfg(test)]
mod changing;
#[cfg(test)]
mod commands;
#[cfg(test)]
mod configs;
#[cfg(test)]
mod earlier;
#[cfg(test)]
mod explaining;
#[cfg(test)]
mod facts;
#[cfg(test)]
mod faults;
#[cfg(test)]
mod fixture;
#[cfg(test)]
mod from;
#[cfg(test)]
mod full_disk;
#[cfg(test)]
mod hostile_parameters;
#[cfg(test)]
mod hostile_site;
#[cfg(test)]
mod hostile_sql;
#[cfg(test)]
#[path = "../../../../node/api/tests/it/line.rs"]
mod line;
#[cfg(test)]
mod outbound;
#[cfg(test)]
mod own;
#[cfg(test)]
mod parted;
#[cfg(test)]
mod policy_words;
#[cfg(test)]
mod preview;
#[cfg(test)]
mod refusals;
#[cfg(test)]
mod s3;
#[cfg(test)]
mod s3_way;
#[cfg(test)]
mod signing;
#[cfg(test)]
mod stored;
#[cfg(test)]
mod story;
#[cfg(test)]
mod structure;
#[cfg(test)]
mod together;
#[cfg(test)]
mod tunnel;
#[cfg(test)]
mod tutorials;
#[cfg(test)]
mod upkeep;
#[cfg(test)]
mod vanished;
