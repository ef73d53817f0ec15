//! What a stream makes of the pieces of its connections.
