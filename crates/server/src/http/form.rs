//! `application/x-www-form-urlencoded` bodies, as OAuth's endpoints take them (RFC 6749 §3.1): no
//! parameter twice, because of two values one program would take the first and another the last;
//! one without a value is as if it were not there; one that nobody knows is not looked at.

use super::body::{BodyError, has_type, read_body};
use axum::body::Body;
use http::request::Parts;
use std::collections::BTreeMap;

/// Most parameters of one form; the longest real one has five.
pub const PARAMETERS_MAX: usize = 32;

/// The parameters of a form. They may be secrets: it prints its own name.
pub struct Form(BTreeMap<String, String>);

pub async fn read_form(parts: &Parts, body: Body) -> Result<Form, BodyError> {
    if !has_type(&parts.headers, "application/x-www-form-urlencoded") {
        return Err(BodyError::NotAForm);
    }
    Form::parse(&read_body(parts, body).await?)
}

impl Form {
    pub fn parse(bytes: &[u8]) -> Result<Self, BodyError> {
        let mut parameters = BTreeMap::new();
        for (name, value) in form_urlencoded::parse(bytes) {
            let is_new = parameters.insert(name.into_owned(), value.into_owned()).is_none();
            if !is_new || parameters.len() > PARAMETERS_MAX {
                return Err(BodyError::Form);
            }
        }
        Ok(Self(parameters))
    }

    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }
}

impl std::fmt::Debug for Form {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Form")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, name: &str) -> Option<String> {
        Form::parse(text.as_bytes()).unwrap().get(name).map(Into::into)
    }

    #[test]
    fn parameter_is_decoded_once() {
        assert_eq!(read("token=a%2Bb+c%2525&x=1", "token").as_deref(), Some("a+b c%25"));
    }

    #[test]
    fn parameter_without_a_value_is_not_there() {
        for text in ["", "token", "token=", "&&", "Token=a"] {
            assert_eq!(read(text, "token"), None, "{text}");
        }
    }

    #[test]
    fn parameter_that_stands_twice_is_refused_however_it_is_spelled() {
        for text in ["token=a&token=a", "token=a&%74oken=b", "token=&token=a", "x&x&token=a"] {
            assert!(matches!(Form::parse(text.as_bytes()), Err(BodyError::Form)), "{text}");
        }
    }

    #[test]
    fn form_has_at_most_so_many_parameters() {
        let form = |count: usize| (0..count).map(|n| format!("p{n}=v&")).collect::<String>();
        assert!(Form::parse(form(PARAMETERS_MAX).as_bytes()).is_ok());
        assert!(Form::parse(form(PARAMETERS_MAX + 1).as_bytes()).is_err());
    }
}
