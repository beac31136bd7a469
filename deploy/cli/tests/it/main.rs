//! What people, scripts and drivers rely on, tried on the real binary; and the style of the whole repository.

#[cfg(test)]
mod adbc;
#[cfg(test)]
mod bounds;
#[cfg(test)]
mod byzantine;
#[cfg(test)]
mod commands;
#[cfg(test)]
mod configs;
#[cfg(test)]
mod faults;
#[cfg(test)]
mod fixture;
#[cfg(test)]
mod from;
#[cfg(test)]
mod full_disk;
#[cfg(test)]
mod hostile_site;
#[cfg(test)]
mod hostile_sql;
#[cfg(test)]
mod outbound;
#[cfg(test)]
mod own;
#[cfg(test)]
mod refusals;
#[cfg(test)]
mod s3;
#[cfg(test)]
mod story;
#[cfg(test)]
mod structure;
#[cfg(test)]
mod upkeep;
