//! Several labels in one call.

use crate::reader::Reader;

/// A tuple of up to six labels with their queries: `(("me", Person::live().one(id)), ("items", Item::live()))`.
pub trait Entries<E: Reader>: sealed::Entries<E> {}
impl<E: Reader, T: sealed::Entries<E>> Entries<E> for T {}

pub(crate) mod sealed {
    use crate::error::LiveError;
    use crate::reader::Reader;
    use crate::set::{Core, Label};
    use crate::store::Openable;

    pub trait Entries<E: Reader> {
        /// The labels, in the same order.
        type Labels;
        /// Puts each query under its label.
        #[expect(private_interfaces, reason = "users cannot name the trait")]
        fn sync(self, core: &mut Core<E>) -> Result<Self::Labels, LiveError>;
    }

    macro_rules! tuples {
        ($(($($name:ident),*))*) => {$(
            impl<E: Reader, $($name: Openable<E>),*> Entries<E> for ($((&str, $name),)*) {
                type Labels = ($(Label<$name::Value>,)*);
                #[expect(private_interfaces, reason = "users cannot name the trait")]
                fn sync(self, core: &mut Core<E>) -> Result<Self::Labels, LiveError> {
                    #[allow(non_snake_case)]
                    let ($($name,)*) = self;
                    Ok(($(core.sync($name.0, $name.1, None)?,)*))
                }
            }
        )*};
    }
    tuples! { (A) (A, B) (A, B, C) (A, B, C, D) (A, B, C, D, F) (A, B, C, D, F, G) }
}
