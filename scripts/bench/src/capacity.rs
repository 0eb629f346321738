//! What a load needs, and which limit binds first.
