//! GridWhistle from outside: stories over HTTP, told on SQLite and on PostgreSQL.

#[cfg(test)]
mod case;
#[cfg(test)]
mod harness;
