//! What DynamoDB's answers mean.

use aws_sdk_dynamodb::{
    config::http::HttpResponse,
    error::{ProvideErrorMetadata, SdkError},
    operation::{
        delete_item::DeleteItemError, get_item::GetItemError, put_item::PutItemError,
        update_item::UpdateItemError,
    },
    types::error::ConditionalCheckFailedException,
};

use super::item::Item;
use crate::store::StoreError;

/// How a conditional write went.
pub(super) enum Unless {
    Done,
    /// The condition did not hold of this, which is there now.
    There(Option<Item>),
}

/// An error of a conditional write.
pub(super) trait Conditional: ProvideErrorMetadata {
    fn unmet(&self) -> Option<&ConditionalCheckFailedException>;
}

macro_rules! conditional {
    ($($error:ident),+) => {$(
        impl Conditional for $error {
            fn unmet(&self) -> Option<&ConditionalCheckFailedException> {
                match self {
                    Self::ConditionalCheckFailedException(unmet) => Some(unmet),
                    _ => None,
                }
            }
        }
    )+};
}
conditional!(PutItemError, UpdateItemError, DeleteItemError);

/// Tells a condition that did not hold from a failure.
pub(super) fn unless<T, E: Conditional>(
    answer: Result<T, SdkError<E, HttpResponse>>,
) -> Result<Unless, StoreError> {
    match answer {
        Ok(_) => Ok(Unless::Done),
        Err(error) => match error.as_service_error().and_then(Conditional::unmet) {
            Some(unmet) => Ok(Unless::There(unmet.item.clone())),
            None => Err(store_error(error)),
        },
    }
}

pub(super) fn is_missing_table(error: &SdkError<GetItemError, HttpResponse>) -> bool {
    error
        .as_service_error()
        .is_some_and(GetItemError::is_resource_not_found_exception)
}

/// The reason is ours, because the server's own words may quote a key.
pub(super) fn store_error<E: ProvideErrorMetadata>(error: SdkError<E, HttpResponse>) -> StoreError {
    match &error {
        SdkError::TimeoutError(_) => StoreError::timed_out("dynamodb"),
        SdkError::DispatchFailure(failure) if failure.is_timeout() => {
            StoreError::timed_out("dynamodb: connecting took too long")
        }
        SdkError::DispatchFailure(failure) if failure.is_io() => {
            StoreError::unreachable("dynamodb: the connection failed")
        }
        // What fails before anything is sent: credentials that could not be found, or an endpoint that is none.
        SdkError::DispatchFailure(_) | SdkError::ConstructionFailure(_) => StoreError::unreachable(
            "dynamodb: no request could be made; check the endpoint and that AWS credentials can be found",
        ),
        SdkError::ServiceError(answer) => {
            answered(answer.err().code(), answer.raw().status().as_u16())
        }
        _ => StoreError::unreachable("dynamodb: the answer could not be read"),
    }
}

fn answered(code: Option<&str>, status: u16) -> StoreError {
    match code.unwrap_or_default() {
        "ResourceNotFoundException" => StoreError::refused(
            "dynamodb: there is no such table: make it, or let `create_table` do so",
        ),
        "ValidationException" => StoreError::refused(
            "dynamodb: the request is not valid: the table's key must be `id`, a string, and the entry's key \
             must not be empty",
        ),
        "AccessDeniedException" => {
            StoreError::refused("dynamodb: these credentials do not have the right to do this")
        }
        "UnrecognizedClientException"
        | "InvalidSignatureException"
        | "IncompleteSignatureException"
        | "MissingAuthenticationTokenException"
        | "InvalidClientTokenId"
        | "ExpiredTokenException" => {
            StoreError::refused("dynamodb: the credentials are not valid, or no longer")
        }
        // These pass: the same request may succeed later.
        "ProvisionedThroughputExceededException"
        | "RequestLimitExceeded"
        | "ThrottlingException"
        | "LimitExceededException" => {
            StoreError::unreachable("dynamodb: too many requests for the table's capacity")
        }
        "TransactionConflictException" | "ReplicatedWriteConflictException" => {
            StoreError::busy("dynamodb: another write to the item was under way")
        }
        _ if status >= 500 => StoreError::unreachable("dynamodb: the server failed"),
        _ => StoreError::refused("dynamodb: the request was refused"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::StoreErrorKind;

    #[test]
    fn what_passes_by_itself_is_no_refusal() {
        let kind = |code, status| answered(Some(code), status).kind();
        assert_eq!(kind("ValidationException", 400), StoreErrorKind::Refused);
        assert_eq!(kind("SomethingNew", 400), StoreErrorKind::Refused);
        assert_eq!(
            kind("ThrottlingException", 400),
            StoreErrorKind::Unreachable
        );
        assert_eq!(
            kind("InternalServerError", 500),
            StoreErrorKind::Unreachable
        );
        assert_eq!(answered(None, 502).kind(), StoreErrorKind::Unreachable);
    }
}
