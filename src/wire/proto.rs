//! The types generated from `proto/relay/v1`. Only the conversions of this folder use them.

#![expect(clippy::large_enum_variant, reason = "records are written and read one at a time")]

include!(concat!(env!("OUT_DIR"), "/relay.v1.rs"));
