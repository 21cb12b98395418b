//! Life cycles: which command is possible in which stage, as one table for each flow; and the
//! refusal of commands that do not fit, written once for all of them.

use crate::{core::labelled_enum::Named, rules::refusal::Refusal};

/// Anything that moves through stages by commands: a flow, or a part of one.
pub trait Lifecycle: Sized {
    /// Its name in refusals.
    const NAME: &'static str;
    /// The stages it can have.
    type Stage: Named;
    /// The commands of the table, for one that exists.
    type Verb: Named;
    /// The third column of the table: a stage, or a slice of those among which the rules choose.
    type To: Leads<Self::Stage>;
    /// The commands with their arguments.
    type Command;

    /// Which verb is possible in which stage, and where it leads.
    const MOVES: MoveTable<Self::Stage, Self::Verb, Self::To>;

    /// The commands that refusals list as possible where there is none yet.
    const BEGINNINGS: &'static [&'static str] = &[];

    /// Whether a command that begins one is refused by its stage where one exists, with the
    /// possible commands; otherwise it is refused as existing already.
    const REFUSES_BEGINNING_BY_STAGE: bool = false;

    /// The present stage.
    fn stage(&self) -> Self::Stage;

    /// How a command relates to this life cycle.
    fn classify_command(command: &Self::Command) -> CommandKind<Self::Verb>;

    /// Whether `verb` is possible now: as the table says, where a flow does not narrow it.
    fn admits_verb(&self, verb: Self::Verb) -> bool {
        !Self::MOVES.targets(self.stage(), verb).is_empty()
    }

    /// Whether `verb` is offered to callers: false for commands of the system, and where there is
    /// nothing to apply it to.
    fn shows_verb(&self, _: Self::Verb) -> bool {
        true
    }

    /// The commands possible now, by name; whether an actor may give them is another question.
    fn list_possible(&self) -> Vec<&'static str> {
        let shown = |verb: &Self::Verb| self.admits_verb(*verb) && self.shows_verb(*verb);
        Self::MOVES.verbs_in(self.stage()).filter(shown).map(Named::name).collect()
    }

    /// The refusal of a command that does not fit the stage.
    fn wrong_state(&self, command: &'static str) -> Refusal {
        let (state, possible) = (self.stage().name(), self.list_possible());
        Refusal::WrongState { flow: Self::NAME, state, command, possible }
    }
}

/// How a command relates to a life cycle.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CommandKind<V> {
    /// It begins one, under this name.
    Begins(&'static str),
    /// It needs an existing one, in a stage that the table allows.
    Moves(V),
    /// It begins one, or needs an existing one as the table says.
    BeginsOrMoves(V),
    /// It needs an existing one in any stage; its name.
    Unbound(&'static str),
}

impl<V: Named> CommandKind<V> {
    /// The name of the command, as in the URL.
    pub fn name(self) -> &'static str {
        match self {
            Self::Begins(name) | Self::Unbound(name) => name,
            Self::Moves(verb) | Self::BeginsOrMoves(verb) => verb.name(),
        }
    }

    /// The verb of the table, if it has one.
    pub fn verb(self) -> Option<V> {
        match self {
            Self::Moves(verb) | Self::BeginsOrMoves(verb) => Some(verb),
            Self::Begins(_) | Self::Unbound(_) => None,
        }
    }
}

/// Which verb is possible in which stage, and where it leads.
#[derive(Clone, Copy, Debug)]
pub struct MoveTable<S: 'static, V: 'static, To: 'static = S> {
    /// The moves: a stage, a verb, and where that leads; what is not listed is refused.
    pub moves: &'static [(S, V, To)],
    /// Verbs that keep the stage, and the stages in which they are possible.
    pub beside: &'static [(V, &'static [S])],
}

/// The targets of a verb: one stage, or several.
pub trait Leads<S>: 'static {
    /// All of them.
    fn stages(&self) -> &[S];
}

impl<S: 'static> Leads<S> for S {
    fn stages(&self) -> &[S] {
        std::slice::from_ref(self)
    }
}

impl<S: 'static> Leads<S> for &'static [S] {
    fn stages(&self) -> &[S] {
        self
    }
}

impl<S: Named, V: Named, To: Leads<S>> MoveTable<S, V, To> {
    /// A table without verbs that keep the stage.
    pub const fn of(moves: &'static [(S, V, To)]) -> Self {
        Self { moves, beside: &[] }
    }

    /// The verbs that are possible in a stage, in the order of the table.
    pub fn verbs_in(self, stage: S) -> impl Iterator<Item = V> {
        let on = self.moves.iter().filter(move |(from, _, _)| *from == stage);
        let beside = self.beside.iter().filter(move |(_, stages)| stages.contains(&stage));
        on.map(|(_, verb, _)| *verb).chain(beside.map(|(verb, _)| *verb))
    }

    /// Where `verb` can lead from `stage`; empty when it is not possible.
    pub fn targets(&self, stage: S, verb: V) -> &'static [S] {
        if self.is_beside(stage, verb) {
            return S::ALL.chunks(1).find(|only| only.contains(&stage)).unwrap_or_default();
        }
        let row = self.moves.iter().find(|(from, by, _)| (*from, *by) == (stage, verb));
        row.map_or(&[], |(_, _, to)| to.stages())
    }

    /// Whether `verb` is possible in `stage` and keeps it.
    pub fn is_beside(&self, stage: S, verb: V) -> bool {
        self.beside.iter().any(|(by, stages)| *by == verb && stages.contains(&stage))
    }
}

/// Refuses a command that does not fit: because there is none yet, because there is one already, or
/// because of the stage.
pub fn require_possible<L: Lifecycle>(
    state: Option<&L>,
    command: &L::Command,
) -> Result<(), Refusal> {
    let kind = L::classify_command(command);
    match (state, kind) {
        (None, CommandKind::Begins(_) | CommandKind::BeginsOrMoves(_))
        | (Some(_), CommandKind::Unbound(_)) => Ok(()),
        (None, CommandKind::Moves(_) | CommandKind::Unbound(_)) => Err(Refusal::WrongState {
            flow: L::NAME,
            state: "none",
            command: kind.name(),
            possible: L::BEGINNINGS.to_vec(),
        }),
        (Some(_), CommandKind::Begins(_)) if !L::REFUSES_BEGINNING_BY_STAGE => {
            Err(Refusal::AlreadyExists { what: L::NAME })
        }
        (Some(one), CommandKind::Moves(verb) | CommandKind::BeginsOrMoves(verb))
            if one.admits_verb(verb) =>
        {
            Ok(())
        }
        (Some(one), _) => Err(one.wrong_state(kind.name())),
    }
}

/// The refusal of a command that was refused before the rules are called: for the arms of a `match`
/// that are never reached.
pub fn refuse_unasked<L: Lifecycle>(command: &L::Command) -> Refusal {
    let command = L::classify_command(command).name();
    Refusal::WrongState { flow: L::NAME, state: "unknown", command, possible: Vec::new() }
}
