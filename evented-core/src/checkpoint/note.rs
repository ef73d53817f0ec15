//! Checkpoints as signed notes: <https://c2sp.org/signed-note>.

use base64ct::{Base64, Encoding};

use crate::checkpoint::Checkpoint;

impl Checkpoint {
    /// The checkpoint as a signed note, which witnesses and monitors of transparency logs read: its
    /// [text](Self::text), an empty line, and a line for the signature.
    #[must_use]
    pub fn note(&self) -> String {
        let mut note = self.text() + "\n";
        if let Some(signature) = &self.signature {
            note.push_str(&format!("— {} {}\n", signature.signer, base64(&signature.to_bytes())));
        }
        note
    }
}

pub(super) fn base64(bytes: &[u8]) -> String {
    Base64::encode_string(bytes)
}

/// The serde form of bytes: base64.
pub(super) mod base64_form {
    use base64ct::{Base64, Encoding};
    use serde::{Deserialize, Deserializer, Serializer, de};

    pub(in crate::checkpoint) fn serialize<S: Serializer>(bytes: &[u8], to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&super::base64(bytes))
    }

    pub(in crate::checkpoint) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Vec<u8>, D::Error> {
        let text = String::deserialize(from)?;
        Base64::decode_vec(&text).map_err(|_| de::Error::custom("not base64"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::HmacKey;

    #[test]
    fn a_note_is_the_text_an_empty_line_and_the_signature() {
        let mut checkpoint = crate::checkpoint::tests::checkpoint();
        assert_eq!(checkpoint.note(), checkpoint.text() + "\n");
        checkpoint.sign(&HmacKey::new("shop.example", [1; 32])).expect("signed");
        let note = checkpoint.note();
        let signature = note.strip_prefix(&(checkpoint.text() + "\n")).expect("the text first");
        assert!(signature.starts_with("— shop.example "), "{signature}");
        assert!(signature.ends_with("=\n") || signature.ends_with('\n'), "{signature}");
    }

    #[test]
    fn a_checkpoint_survives_json() {
        let mut checkpoint = crate::checkpoint::tests::checkpoint();
        checkpoint.sign(&HmacKey::new("shop", [1; 32])).expect("signed");
        let json = serde_json::to_string(&checkpoint).expect("json");
        assert_eq!(serde_json::from_str::<Checkpoint>(&json).expect("a checkpoint"), checkpoint);
    }
}
