//! Settings that are one of a few words.

/// A setting that is one of a few words: an enum, its words, and an error that names them all.
///
/// The first variant is the default. A word may have an alias, which is read but never shown.
macro_rules! option_enum {
    (
        $(#[$about:meta])*
        pub enum $name:ident {
            $first_word:literal $(or $first_alias:literal)? | $(#[$first_about:meta])* $first:ident,
            $( $word:literal $(or $alias:literal)? | $(#[$variant_about:meta])* $variant:ident, )*
        }
    ) => {
        $(#[$about])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
        pub enum $name {
            $(#[$first_about])*
            #[default]
            $first,
            $( $(#[$variant_about])* $variant, )*
        }

        impl $name {
            /// The words of the setting, in the order of the variants.
            pub const WORDS: &[&str] = &[$first_word, $($word),*];

            /// The word for this variant.
            pub fn word(self) -> &'static str {
                match self {
                    Self::$first => $first_word,
                    $( Self::$variant => $word, )*
                }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.word())
            }
        }

        impl std::str::FromStr for $name {
            type Err = datafusion::error::DataFusionError;

            fn from_str(text: &str) -> datafusion::error::Result<Self> {
                match text.trim().to_ascii_lowercase().as_str() {
                    $first_word $(| $first_alias)? => Ok(Self::$first),
                    $( $word $(| $alias)? => Ok(Self::$variant), )*
                    _ => Err(datafusion::error::DataFusionError::Configuration(format!(
                        "'{text}' is not one of {}",
                        Self::WORDS.join(", ")
                    ))),
                }
            }
        }

        $crate::options::choice::parsed_field!($name);
    };
}

/// Makes a type that is parsed from text and displays as such the type of a setting.
macro_rules! parsed_field {
    ($name:ident) => {
        impl datafusion::common::config::ConfigField for $name {
            fn visit<V: datafusion::common::config::Visit>(
                &self,
                visitor: &mut V,
                key: &str,
                description: &'static str,
            ) {
                visitor.some(key, self, description);
            }

            fn set(&mut self, _key: &str, value: &str) -> datafusion::error::Result<()> {
                *self = value.parse()?;
                Ok(())
            }
        }
    };
}

pub(super) use {option_enum, parsed_field};

option_enum! {
    /// What becomes of a row whose geometry is invalid.
    pub enum OnInvalid {
        "error" | /// The statement ends.
        Error,
        "null" | /// The geometry is taken for NULL.
        Null,
        "skip" | /// A join takes the row for one that is not there.
        Skip,
    }
}

option_enum! {
    /// What happens when two coordinate reference systems meet.
    pub enum CrsMismatch {
        "error" | /// The statement is refused.
        Error,
        "ignore" | /// Coordinates are compared as they are.
        Ignore,
        "transform" | /// The right side is transformed to the CRS of the left.
        Transform,
    }
}
