//! GridWhistle from outside: stories over HTTP, told on SQLite and on PostgreSQL.

#[cfg(test)]
mod area;
#[cfg(test)]
mod auth;
#[cfg(test)]
mod case;
#[cfg(test)]
mod harness;
#[cfg(test)]
mod me;
#[cfg(test)]
mod person;
#[cfg(test)]
mod report;
#[cfg(test)]
mod whistle;
