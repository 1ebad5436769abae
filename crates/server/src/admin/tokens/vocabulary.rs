//! What the values of these endpoints look like, for the document: the words that there are, from
//! where the code has them.

use super::list::STATES;
use crate::config::TOKEN_LIFETIME_MAX;
use rescind_core::{OVERLAP_MAX, RevocationReason, TokenKind};
use std::time::Duration;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Schema, SchemaType, Type};
use utoipa::{PartialSchema, ToSchema};

macro_rules! schemas {
    ($($name:ident, $description:literal, $builder:expr;)+) => {$(
        #[doc = $description]
        #[derive(Debug)]
        pub(in crate::admin) enum $name {}

        impl PartialSchema for $name {
            fn schema() -> RefOr<Schema> {
                RefOr::T(Schema::Object(($builder).description(Some($description)).build()))
            }
        }

        impl ToSchema for $name {}
    )+};
}

schemas! {
    TokenKindName, "Users have `bearer`, partners `api_key` and `signing`, operators `admin`.",
        one_of(TokenKind::ALL.map(TokenKind::as_str));
    StateFilter, "A token is in exactly one of the first three states.", one_of(STATES);
    RevocationReasonName, "Why a token ended; names and meaning after RFC 5280.",
        one_of(RevocationReason::ALL.map(RevocationReason::as_str));
    LifetimeSeconds, "Lifetime; without it, the token lives until it is revoked.",
        seconds(1, TOKEN_LIFETIME_MAX);
    OverlapSeconds, "How long the old token lives on.", seconds(0, OVERLAP_MAX);
}

fn one_of<const N: usize>(names: [&'static str; N]) -> ObjectBuilder {
    ObjectBuilder::new().schema_type(SchemaType::Type(Type::String)).enum_values(Some(names))
}

fn seconds(least: u64, most: Duration) -> ObjectBuilder {
    let number = ObjectBuilder::new().schema_type(SchemaType::Type(Type::Integer));
    number.minimum(Some(least)).maximum(Some(most.as_secs()))
}
