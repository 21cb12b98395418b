//! Enumerations with a name for machines and a label for people.

use std::fmt::Debug;

/// The interface of every such enumeration, for generic code.
pub trait Named: Copy + Eq + Debug + 'static {
    /// All values, in order of declaration.
    const ALL: &'static [Self];

    /// Its name in the API and in the database.
    fn name(self) -> &'static str;

    /// Its label in Chinese.
    fn label(self) -> &'static str;

    /// The label of the value with this name.
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
            /// All values, in order of declaration.
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            /// Its name in the API and in the database.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $text,)+ }
            }

            /// Its label in Chinese.
            pub const fn label(self) -> &'static str {
                match self { $(Self::$variant => $label,)+ }
            }

            /// The value called `name`.
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
