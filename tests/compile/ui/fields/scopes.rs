//! A scope is a combination of fields, each under one name.

use evented_diesel::Evented;

#[derive(Evented)]
#[evented(scopes(org = ogr_id, tenant = tenant_id))]
struct Unknown {
    id: i32,
    org_id: i32,
}

#[derive(Evented)]
#[evented(scopes(org = org_id, (org = org_id, org = post_id), (org = org_id, post = post_id)))]
#[evented(scopes(org = post_id, (post = post_id, org = org_id)))]
struct Repeated {
    id: i32,
    org_id: i32,
    post_id: i32,
}

fn main() {}
