//! Life cycles: which command is possible in which stage, as one table for each flow; and what is
//! refused when a command does not fit the stage, written once for all of them.

use crate::{core::labelled_enum::Named, rules::refusal::Refusal};

/// What moves through stages by commands: a flow, or a part of one.
pub trait Lifecycle: Sized {
    /// What refusals call it.
    const NAME: &'static str;
    /// How far one can be.
    type Stage: Named;
    /// What may be asked of one that exists.
    type Verb: Named;
    /// The third column of the table: a stage, or a slice of those among which the rules choose.
    type To: Leads<Self::Stage>;
    /// What may be asked, with everything that is said.
    type Command;

    /// Which verb is possible in which stage, and where it leads.
    const MOVES: MoveTable<Self::Stage, Self::Verb, Self::To>;

    /// What callers are told is possible where there is none yet.
    const BEGINNINGS: &'static [&'static str] = &[];

    /// Whether to begin one that exists is refused as not fit for its stage, with what is; else it
    /// is refused as existing already.
    const REFUSES_BEGINNING_BY_STAGE: bool = false;

    /// How far it is.
    fn stage(&self) -> Self::Stage;

    /// What a command is to this life cycle.
    fn classify_command(command: &Self::Command) -> CommandKind<Self::Verb>;

    /// Whether `verb` is possible now: as the table says, where a flow does not narrow it.
    fn admits_verb(&self, verb: Self::Verb) -> bool {
        !Self::MOVES.targets(self.stage(), verb).is_empty()
    }

    /// Whether callers are told that `verb` is possible: not of what only the system asks, nor
    /// where there is nothing to do it to.
    fn shows_verb(&self, _: Self::Verb) -> bool {
        true
    }

    /// What is possible now, by name; which of it an actor may ask is another question.
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

/// What a command is to a life cycle.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CommandKind<V> {
    /// It begins one, under this name.
    Begins(&'static str),
    /// It is asked of one that exists, where the table says so.
    Moves(V),
    /// It begins one, or is asked of one that exists.
    BeginsOrMoves(V),
    /// It is asked of one that exists, in whatever stage that is; its name.
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

    /// The verb of the table, where that has a say.
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
    /// The way: a stage, a verb, and where that leads; what is not listed is refused.
    pub moves: &'static [(S, V, To)],
    /// What goes on beside the way: verbs, and the stages in which they are possible and which they
    /// leave as they are.
    pub beside: &'static [(V, &'static [S])],
}

/// Where a verb leads: to one stage, or to one of several.
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
    /// A table with nothing beside the way.
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

    /// Whether `verb` is possible in `stage` and leaves it as it is.
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

/// The refusal of a command that was refused before the rules are asked: for the arms of a `match`
/// that are never reached.
pub fn refuse_unasked<L: Lifecycle>(command: &L::Command) -> Refusal {
    let command = L::classify_command(command).name();
    Refusal::WrongState { flow: L::NAME, state: "unknown", command, possible: Vec::new() }
}
