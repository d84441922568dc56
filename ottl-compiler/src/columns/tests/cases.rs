//! Cases that chance would seldom find.
