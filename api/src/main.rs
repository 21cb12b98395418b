//! The command `gridwhistle`: reads its arguments and ends with an exit code.

use std::process::ExitCode;

use api::cli::{
    arguments::Cli,
    command::{self, Ended},
};
use clap::Parser;

fn main() -> ExitCode {
    match actix_web::rt::System::new().block_on(command::run(Cli::parse())) {
        Ok(Ended::Well) => ExitCode::SUCCESS,
        Ok(Ended::Badly) => ExitCode::from(3),
        Err(failed) => {
            print_error(&failed.to_string());
            ExitCode::FAILURE
        }
    }
}

#[expect(clippy::print_stderr, reason = "this is where a person reads why it did not work")]
fn print_error(why: &str) {
    eprintln!("gridwhistle: {why}");
}
