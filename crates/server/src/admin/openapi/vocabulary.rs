//! What the values of the admin API look like, for the document: one type for each idea, with the
//! limits that the code enforces, taken from the constants that it enforces them with.
//!
//! Named by `#[schema(value_type = …)]`; the fields themselves are the strings that JSON has.

use super::super::idempotency::KEY_BYTES_MAX;
use crate::service::identity::SUBJECT_CHARS_MAX;
use crate::service::owners::EMAIL_BYTES_MAX;
use crate::service::{PASSWORD_CHARS_MAX, PASSWORD_CHARS_MIN};
use rescind_core::{ID_BYTES_MAX, NETWORKS_MAX, SCOPE_BYTES_MAX, SCOPES_MAX};
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{
    ArrayBuilder, Object, ObjectBuilder, Ref, Schema, SchemaFormat, SchemaType, Type,
};
use utoipa::{PartialSchema, ToSchema};

/// Longest name of a person or an operator, in characters.
pub(in crate::admin) const NAME_CHARS_MAX: usize = 128;
/// Longest name of an identity issuer, in characters.
pub(in crate::admin) const ISSUER_CHARS_MAX: usize = 256;
/// Longest account, in characters.
pub(in crate::admin) const ACCOUNT_CHARS_MAX: usize = 128;
/// Longest label of a token, in characters.
pub(in crate::admin) const LABEL_CHARS_MAX: usize = 512;
/// Longest text that a filter compares with, in characters.
pub(in crate::admin) const FILTER_CHARS_MAX: usize = 256;

const ID: &str = "^[A-Za-z0-9_-]+$";
/// Anything but control characters.
const SHOWN: &str = "^[^\\u0000-\\u001f\\u007f-\\u009f]*$";
const EMAIL: &str = "^[!-?A-~]+@[!-?A-~]+$";
const SCOPE: &str = "^[!#-&(-+\\--\\[\\]-~]+$";
const VISIBLE: &str = "^[!-~]+$";

/// A kind of text: its limits in characters, its pattern, and an example.
struct Text {
    min: usize,
    max: Option<usize>,
    pattern: Option<&'static str>,
    format: Option<&'static str>,
    example: &'static str,
}

const ANY: Text = Text { min: 0, max: None, pattern: None, format: None, example: "" };

macro_rules! texts {
    ($($name:ident, $description:literal, $text:expr;)+) => {$(
        #[doc = $description]
        #[derive(Debug)]
        pub(in crate::admin) enum $name {}

        impl PartialSchema for $name {
            fn schema() -> RefOr<Schema> {
                RefOr::T(Schema::Object(($text).object($description)))
            }
        }

        impl ToSchema for $name {}
    )+};
}

macro_rules! arrays {
    ($($name:ident, $description:literal, $item:ident, $max:expr;)+) => {$(
        #[doc = $description]
        #[derive(Debug)]
        pub(in crate::admin) enum $name {}

        impl PartialSchema for $name {
            fn schema() -> RefOr<Schema> {
                let items = Ref::from_schema_name(stringify!($item));
                let array = ArrayBuilder::new().items(items).max_items(Some($max));
                RefOr::T(Schema::Array(array.description(Some($description)).build()))
            }
        }

        impl ToSchema for $name {
            fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
                schemas.push((stringify!($item).into(), $item::schema()));
            }
        }
    )+};
}

texts! {
    OwnerId, "Names a user, a partner or an operator.", id("user_8jK2mQ4xT1vB9nZc");
    TenantId, "Names an organisation.", id("tenant_1");
    TokenId, "Names a token without being one.", id("token_8jK2mQ4xT1vB9nZc");
    UserKey, "A user's id, or `email:` and the address.", Text {
        min: 1,
        max: Some("email:".len() + EMAIL_BYTES_MAX),
        pattern: Some("^([A-Za-z0-9_-]+|email:[!-?A-~]+@[!-?A-~]+)$"),
        example: "email:ada@example.com",
        ..ANY
    };
    Email, "An e-mail address: ASCII, compared without case.", Text {
        min: 3,
        max: Some(EMAIL_BYTES_MAX),
        pattern: Some(EMAIL),
        example: "ada@example.com",
        ..ANY
    };
    Password, "A new password.", Text {
        min: PASSWORD_CHARS_MIN,
        max: Some(PASSWORD_CHARS_MAX),
        format: Some("password"),
        example: "correct horse battery staple",
        ..ANY
    };
    Name, "A name, for people to read; without control characters.", Text {
        max: Some(NAME_CHARS_MAX),
        pattern: Some(SHOWN),
        example: "Ada",
        ..ANY
    };
    Issuer, "Whose identity tokens a partner comes with.", Text {
        min: 1,
        max: Some(ISSUER_CHARS_MAX),
        pattern: Some(SHOWN),
        example: "https://issuer.example",
        ..ANY
    };
    Subject, "How the issuer names the partner.", Text {
        min: 1,
        max: Some(SUBJECT_CHARS_MAX),
        pattern: Some(SHOWN),
        example: "did:privy:cm1",
        ..ANY
    };
    Account, "A partner's account, such as a wallet's address.", Text {
        max: Some(ACCOUNT_CHARS_MAX),
        pattern: Some(SHOWN),
        example: "0x0000000000000000000000000000000000000000",
        ..ANY
    };
    Label, "What a token is for; without control characters.", Text {
        max: Some(LABEL_CHARS_MAX),
        pattern: Some(SHOWN),
        example: "deployment",
        ..ANY
    };
    Scope, "A scope: visible ASCII without `,`, `\"`, `'` and `\\`.", Text {
        min: 1,
        max: Some(SCOPE_BYTES_MAX),
        pattern: Some(SCOPE),
        example: "trading",
        ..ANY
    };
    Network, "A block of addresses (CIDR) without host bits, or one address.", Text {
        format: Some("cidr"),
        example: "192.0.2.0/24",
        ..ANY
    };
    Time, "RFC 3339. Answers are in UTC and have milliseconds.", Text {
        format: Some("date-time"),
        example: "2026-03-23T12:00:00.000Z",
        ..ANY
    };
    FilterText, "Compared as a whole.", Text {
        max: Some(FILTER_CHARS_MAX),
        pattern: Some(SHOWN),
        example: "token.revoked",
        ..ANY
    };
    IdempotencyKey, "Visible ASCII; best a UUID.", Text {
        min: 1,
        max: Some(KEY_BYTES_MAX),
        pattern: Some(VISIBLE),
        example: "8e03978e-40d5-43dd-bc93-6894a57f9324",
        ..ANY
    };
}

arrays! {
    Scopes, "Each once, in order; in requests in any order.", Scope, SCOPES_MAX;
    Networks, "An address is inside if one of them contains it.", Network, NETWORKS_MAX;
}

const fn id(example: &'static str) -> Text {
    Text { min: 1, max: Some(ID_BYTES_MAX), pattern: Some(ID), format: None, example }
}

impl Text {
    fn object(&self, description: &str) -> Object {
        ObjectBuilder::new()
            .schema_type(SchemaType::Type(Type::String))
            .description(Some(description))
            .min_length((self.min > 0).then_some(self.min))
            .max_length(self.max)
            .pattern(self.pattern)
            .format(self.format.map(|name| SchemaFormat::Custom(name.into())))
            .examples([self.example])
            .build()
    }
}
