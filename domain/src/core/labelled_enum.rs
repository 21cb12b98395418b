//! Enumerations with a name for machines and a label for people.

use std::fmt::Debug;

/// What is true of every such enumeration, for code that works with any of them.
pub trait Named: Copy + Eq + Debug + 'static {
    /// Every one of them.
    const ALL: &'static [Self];

    /// Its name on the wire and in the database.
    fn name(self) -> &'static str;

    /// What people call it.
    fn label(self) -> &'static str;

    /// What people call the one with this name.
    fn label_of(name: &str) -> Option<&'static str> {
        Self::ALL.iter().find(|one| one.name() == name).map(|one| one.label())
    }
}

macro_rules! labelled_enum {
    ($(#[doc = $doc:literal])+ $name:ident { $($(#[doc = $vdoc:literal])+ $variant:ident = $text:literal, $label:literal;)+ }) => {
        $(#[doc = $doc])+
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum $name { $($(#[doc = $vdoc])+ $variant,)+ }

        impl $crate::core::disclosure::Disclosed for $name {
            const SHAPE: $crate::core::disclosure::Shape = $crate::core::disclosure::Shape::Plain;
        }

        impl $name {
            /// Every one of them.
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            /// Its name on the wire and in the database.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $text,)+ }
            }

            /// What people call it.
            pub const fn label(self) -> &'static str {
                match self { $(Self::$variant => $label,)+ }
            }

            /// The one called `name`.
            pub fn parse(name: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|one| one.name() == name)
            }
        }

        impl $crate::core::labelled_enum::Named for $name {
            const ALL: &'static [Self] = Self::ALL;

            fn name(self) -> &'static str {
                self.name()
            }

            fn label(self) -> &'static str {
                self.label()
            }
        }
    };
}
pub(crate) use labelled_enum;
