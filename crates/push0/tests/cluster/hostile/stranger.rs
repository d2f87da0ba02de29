//! Who has no password: not let in, and told so.

use crate::world::World;

#[test]
fn nobody_comes_in_without_a_password_nor_with_anothers() {
    let mut world = World::with_roles("20ms");
    world.block_on(async {
        assert!(async_nats::connect(world.nats.urls()).await.is_err(), "without any");
        for (user, password) in
            [("reader", "guessed"), ("operator", "operator"), ("nobody", "pass")]
        {
            let options =
                async_nats::ConnectOptions::with_user_and_password(user.into(), password.into());
            assert!(options.connect(world.nats.urls()).await.is_err(), "{user}");
        }
    });
    world.tell("status", "PUSH0_NATS_PASSWORD", "guessed");
    world.start("status", &["status"]);
    let ended = world.wait_end("status");
    let said = world.said("status");
    assert_eq!(ended.code(), Some(6), "{said}");
    assert!(said.contains("does not let push0 in"), "{said}");
}
