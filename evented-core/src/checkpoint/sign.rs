//! Signs checkpoints, and checks their signatures.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

use crate::checkpoint::note;
use crate::sha256;

/// Signs checkpoints with a key that the database does not know.
///
/// `sign` runs while the checkpoint is created. A signer that calls a key service blocks the thread for that time. A
/// signer is a verifier of its own signatures: a checkpoint is signed only if it continues one with a signature that
/// holds.
pub trait Signer: Verifier {
    /// Signs a text.
    ///
    /// # Errors
    ///
    /// The key cannot be used now.
    fn sign(&self, text: &[u8]) -> Result<Vec<u8>, Box<dyn std::error::Error + Send + Sync>>;
}

/// Checks the signatures of a [`Signer`].
pub trait Verifier: Send + Sync {
    /// The name of the key: a short text without spaces and `+`, such as the host name of the log.
    fn name(&self) -> &str;
    /// Distinguishes keys of one name: the key id of the
    /// [signed note](https://c2sp.org/signed-note#signatures).
    fn key_id(&self) -> [u8; 4];
    /// Whether the signature is that of the text.
    fn verify(&self, text: &[u8], signature: &[u8]) -> bool;
}

/// A signature of a checkpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signature {
    /// The name of the key.
    pub signer: String,
    /// The id of the key.
    pub key_id: [u8; 4],
    /// The signature.
    #[serde(with = "note::base64_form")]
    pub bytes: Vec<u8>,
}

impl Signature {
    /// The key id and the signature in one: the form in which a log stores a signature, and a signed note contains it.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        [&self.key_id, self.bytes.as_slice()].concat()
    }

    /// The signature from [`to_bytes`](Self::to_bytes); `None` if there is no key id.
    #[must_use]
    pub fn from_bytes(signer: String, bytes: &[u8]) -> Option<Self> {
        let (key_id, bytes) = bytes.split_first_chunk()?;
        Some(Self { signer, key_id: *key_id, bytes: bytes.to_vec() })
    }
}

/// Why a checkpoint is not the one that was signed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize)]
#[serde(tag = "fault", rename_all = "snake_case")]
#[non_exhaustive]
pub enum SignatureFault {
    /// It is not signed.
    #[error("it is not signed")]
    Unsigned,
    /// It is signed with another key.
    #[error("it is signed by `{signer}`, with another key than the one to check with")]
    OtherSigner {
        /// The name of that key.
        signer: String,
    },
    /// The signature is not that of the checkpoint: the checkpoint was changed, or the signature is forged.
    #[error("its signature does not belong to it")]
    Broken,
}

/// A secret key of 32 bytes that signs checkpoints and checks them, by HMAC-SHA256. Whoever can check can also sign.
#[derive(Clone)]
pub struct HmacKey {
    name: String,
    key: [u8; 32],
}

impl HmacKey {
    /// Creates a key with a name.
    #[must_use]
    pub fn new(name: impl Into<String>, key: [u8; 32]) -> Self {
        Self { name: name.into(), key }
    }

    fn mac(&self, text: &[u8]) -> Option<Hmac<Sha256>> {
        // HMAC takes a key of any length.
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.key).ok()?;
        mac.update(text);
        Some(mac)
    }
}

/// The signature type of the signed note for kinds of signatures of one's own, with a name for this kind.
const HMAC: &[u8] = b"\xffevented hmac-sha256";

impl Signer for HmacKey {
    fn sign(&self, text: &[u8]) -> Result<Vec<u8>, Box<dyn std::error::Error + Send + Sync>> {
        let mac = self.mac(text).ok_or("the key has another length")?;
        Ok(mac.finalize().into_bytes().to_vec())
    }
}

impl Verifier for HmacKey {
    fn name(&self) -> &str {
        &self.name
    }
    fn key_id(&self) -> [u8; 4] {
        key_id(&self.name, HMAC)
    }
    fn verify(&self, text: &[u8], signature: &[u8]) -> bool {
        self.mac(text).is_some_and(|mac| mac.verify_slice(signature).is_ok())
    }
}

/// Without the key.
impl fmt::Debug for HmacKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HmacKey").field("name", &self.name).finish_non_exhaustive()
    }
}

/// The key id of the signed note: the beginning of the hash of the key's name, its kind and its public part.
fn key_id(name: &str, key: &[u8]) -> [u8; 4] {
    let [a, b, c, d, ..] = sha256::of(&[name.as_bytes(), b"\n", key]);
    [a, b, c, d]
}

#[cfg(feature = "ed25519")]
pub use ed25519::{Ed25519Signer, Ed25519Verifier};

#[cfg(feature = "ed25519")]
mod ed25519 {
    use std::fmt;

    use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};

    use super::{Signer, Verifier, key_id};

    /// Signs checkpoints with Ed25519. Its signatures are those of a C2SP signed note.
    #[derive(Clone)]
    pub struct Ed25519Signer {
        name: String,
        key: SigningKey,
    }

    /// Checks signatures of an [`Ed25519Signer`], with its public key.
    #[derive(Debug, Clone)]
    pub struct Ed25519Verifier {
        name: String,
        key: VerifyingKey,
    }

    impl Ed25519Signer {
        /// Creates a signer from the secret key of 32 bytes.
        #[must_use]
        pub fn new(name: impl Into<String>, secret: &[u8; 32]) -> Self {
            Self { name: name.into(), key: SigningKey::from_bytes(secret) }
        }

        /// The verifier with the public key of this signer.
        #[must_use]
        pub fn verifier(&self) -> Ed25519Verifier {
            Ed25519Verifier { name: self.name.clone(), key: self.key.verifying_key() }
        }
    }

    impl Ed25519Verifier {
        /// Creates a verifier from the public key; `None` if the bytes are no public key.
        #[must_use]
        pub fn new(name: impl Into<String>, public: &[u8; 32]) -> Option<Self> {
            Some(Self { name: name.into(), key: VerifyingKey::from_bytes(public).ok()? })
        }

        /// The public key.
        #[must_use]
        pub fn public_key(&self) -> [u8; 32] {
            self.key.to_bytes()
        }
    }

    /// The signature type of Ed25519 in a signed note.
    const TYPE: u8 = 1;

    fn id(name: &str, key: &VerifyingKey) -> [u8; 4] {
        key_id(name, &[&[TYPE], key.as_bytes().as_slice()].concat())
    }

    impl Signer for Ed25519Signer {
        fn sign(&self, text: &[u8]) -> Result<Vec<u8>, Box<dyn std::error::Error + Send + Sync>> {
            Ok(self.key.sign(text).to_bytes().to_vec())
        }
    }

    impl Verifier for Ed25519Signer {
        fn name(&self) -> &str {
            &self.name
        }
        fn key_id(&self) -> [u8; 4] {
            id(&self.name, &self.key.verifying_key())
        }
        fn verify(&self, text: &[u8], signature: &[u8]) -> bool {
            self.verifier().verify(text, signature)
        }
    }

    impl Verifier for Ed25519Verifier {
        fn name(&self) -> &str {
            &self.name
        }
        fn key_id(&self) -> [u8; 4] {
            id(&self.name, &self.key)
        }
        fn verify(&self, text: &[u8], signature: &[u8]) -> bool {
            let Ok(signature) = Signature::from_slice(signature) else { return false };
            self.key.verify_strict(text, &signature).is_ok()
        }
    }

    /// Without the secret key.
    impl fmt::Debug for Ed25519Signer {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.debug_struct("Ed25519Signer").field("name", &self.name).finish_non_exhaustive()
        }
    }
}
