//! What takes much away at once is not done without a yes: from a person who was told what will
//! happen, or from `--yes`.

use crate::failure::Failure;
use crate::input;
use crate::output::Output;

/// Says what will happen and waits for a yes. Where nobody can answer, the answer is no.
pub(super) fn confirmed(what: &str, output: Output) -> Result<(), Failure> {
    output.talk(what);
    if !input::is_interactive() {
        return Err(Failure::usage("this is not done unasked, and nobody can be asked here")
            .next("repeat the command with --yes"));
    }
    output.prompt("Go on? [y/N] ");
    if input::is_yes()? { Ok(()) } else { Err(Failure::refused("nothing was done")) }
}
