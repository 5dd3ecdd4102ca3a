//! The fields of an object, each kept as the piece of text that it is and judged when it is asked for.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::Code;
use super::client::{ID_MAX_CHARS, NUMBER_MAX};
use super::value::{decode, whole_number};

/// The types that a client can send, for error texts.
const TYPES: &str = "name, resume, say, direct, who, rename or ping";

/// The fields of an object that mean something, each as the piece of JSON that it is.
#[derive(Debug, Default)]
pub(super) struct Fields<'a> {
    values: [Option<&'a RawValue>; Field::ALL.len()],
    twice: Option<Field>,
}

/// A field that means something in some type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Field {
    Type,
    Id,
    Name,
    History,
    Epoch,
    Last,
    Session,
    To,
    Text,
}

impl Field {
    /// In the order of the discriminants.
    const ALL: [(&'static str, Self); 9] = [
        ("type", Self::Type),
        ("id", Self::Id),
        ("name", Self::Name),
        ("history", Self::History),
        ("epoch", Self::Epoch),
        ("last", Self::Last),
        ("session", Self::Session),
        ("to", Self::To),
        ("text", Self::Text),
    ];

    pub(super) fn name(self) -> &'static str {
        Self::ALL.get(self as usize).map_or("", |(name, _)| name)
    }

    pub(super) fn wanted(self) -> Cow<'static, str> {
        match self {
            Self::Type => Cow::Owned(format!("{TYPES} is wanted")),
            Self::Id => Cow::Owned(format!("a text of 1 to {ID_MAX_CHARS} characters is wanted")),
            Self::History | Self::Last => Cow::Owned(format!("a whole number from 0 to {NUMBER_MAX} is wanted")),
            Self::Name | Self::Epoch | Self::Session | Self::To | Self::Text => Cow::Borrowed("a text is wanted"),
        }
    }
}

/// A mistake in one field.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) code: Code,
    pub(super) field: Field,
    pub(super) text: String,
}

impl Fault {
    fn wrong(field: Field, found: &str) -> Self {
        let text = format!("field \"{}\": {}, {found} was found", field.name(), field.wanted());
        Self { code: Code::WrongType, field, text }
    }
}

impl<'a> Fields<'a> {
    /// The type.
    ///
    /// # Errors
    /// Also if any field is there twice: which of the two was meant?
    pub(super) fn kind(&self) -> Result<Cow<'a, str>, Fault> {
        if let Some(field) = self.twice {
            let text = format!("field \"{}\" is there twice", field.name());
            return Err(Fault { code: Code::DuplicateField, field, text });
        }
        self.text(Field::Type)
    }

    /// Whether the field is there. Many libraries write `null` for what is left out.
    pub(super) fn has(&self, field: Field) -> bool {
        self.value(field).is_some()
    }

    fn value(&self, field: Field) -> Option<&'a str> {
        let raw = self.values.get(field as usize).copied().flatten()?;
        Some(raw.get()).filter(|&json| json != "null")
    }

    fn needed(&self, field: Field) -> Result<&'a str, Fault> {
        self.value(field).ok_or_else(|| {
            let text = format!("field \"{}\" is missing: {}", field.name(), field.wanted());
            Fault { code: Code::MissingField, field, text }
        })
    }

    pub(super) fn text(&self, field: Field) -> Result<Cow<'a, str>, Fault> {
        decode(self.needed(field)?).map_err(|found| Fault::wrong(field, found))
    }

    /// A text of at most [`ID_MAX_CHARS`] characters.
    pub(super) fn short(&self, field: Field) -> Result<Cow<'a, str>, Fault> {
        let text = self.text(field)?;
        // Counting takes time only where there are more bytes than there may be characters.
        if text.len() > ID_MAX_CHARS && text.chars().nth(ID_MAX_CHARS).is_some() {
            let text = format!("field \"{}\" is longer than {ID_MAX_CHARS} characters", field.name());
            return Err(Fault { code: Code::TooLong, field, text });
        }
        Ok(text)
    }

    pub(super) fn id(&self) -> Result<Option<Cow<'a, str>>, Fault> {
        if !self.has(Field::Id) {
            return Ok(None);
        }
        let id = self.short(Field::Id)?;
        if id.is_empty() { Err(Fault::wrong(Field::Id, "an empty one")) } else { Ok(Some(id)) }
    }

    pub(super) fn readable_id(&self) -> Option<String> {
        self.id().ok().flatten().map(Cow::into_owned)
    }

    pub(super) fn number(&self, field: Field) -> Result<u64, Fault> {
        whole_number(self.needed(field)?).map_err(|found| Fault::wrong(field, found))
    }

    pub(super) fn history(&self) -> Result<u64, Fault> {
        if self.has(Field::History) { self.number(Field::History) } else { Ok(0) }
    }
}

impl<'de> Deserialize<'de> for Fields<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(FieldsVisitor)
    }
}

struct FieldsVisitor;

impl<'de> Visitor<'de> for FieldsVisitor {
    type Value = Fields<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields<'de>, A::Error> {
        let mut fields = Fields::default();
        while let Some(Key(key)) = map.next_key()? {
            let Some(field) = key else {
                map.next_value::<IgnoredAny>()?;
                continue;
            };
            let value = map.next_value()?;
            match fields.values.get_mut(field as usize) {
                Some(place @ None) => *place = Some(value),
                // The first one stays: of two values, it is the one that a reader of the message sees first.
                Some(Some(_)) | None => fields.twice = fields.twice.or(Some(field)),
            }
        }
        Ok(fields)
    }
}

/// The name of a field, however it is escaped; `None` is one that means nothing.
struct Key(Option<Field>);

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_identifier(KeyVisitor)
    }
}

struct KeyVisitor;

impl Visitor<'_> for KeyVisitor {
    type Value = Key;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a field")
    }

    fn visit_str<E>(self, name: &str) -> Result<Key, E> {
        Ok(Key(Field::ALL.iter().find(|(known, _)| *known == name).map(|&(_, field)| field)))
    }
}
