//! `.run(&mut conn)` with the prelude of the other face, or with both.

use evented_diesel::{Evented, Id};

diesel::table! {
    use diesel::sql_types::*;
    use evented_diesel::sql_types::Uid;
    items (id) {
        id -> Uid,
    }
}

#[derive(Evented, Clone)]
struct Item {
    id: Id<Item>,
}

mod blocking {
    use evented_diesel::prelude::*;

    async fn wrong(item: &super::Item, conn: &mut diesel_async::AsyncPgConnection) {
        let _ = item.delete().run(conn).await;
    }
}

mod asynchronous {
    use evented_diesel::async_prelude::*;

    fn wrong(item: &super::Item, conn: &mut diesel::SqliteConnection) {
        let _ = item.delete().run(conn);
    }
}

mod both {
    use evented_diesel::async_prelude::*;
    use evented_diesel::prelude::*;

    fn wrong(item: &super::Item, conn: &mut diesel::SqliteConnection) {
        let _ = item.delete().run(conn);
    }
}

mod a_pool {
    use evented_diesel::prelude::*;

    fn wrong(
        item: &super::Item,
        pool: &diesel::r2d2::Pool<diesel::r2d2::ConnectionManager<diesel::SqliteConnection>>,
    ) {
        let _ = item.delete().run(pool);
    }
}

fn main() {}
