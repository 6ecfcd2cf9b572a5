//! Addresses that name several servers.

use super::Address;
use super::World;
use super::home;

#[test]
fn several_servers_are_listed_in_the_order_of_the_address() {
    let of = |text: &str| {
        let address = home().address(text);
        let each = std::iter::once(&address).chain(&address.others);
        let named = |server: &Address| {
            let host = server.host_address.as_ref().or(server.host.as_ref()).cloned().unwrap_or_default();
            format!("{host}:{}", server.port.map_or_else(String::new, |port| port.to_string()))
        };
        (each.map(named).collect::<Vec<_>>().join(" "), address.wanted.name())
    };
    for (text, servers, wanted) in [
        ("postgres://a,b/shop", "a: b:", "any"),
        ("postgres://a:1,b:2/shop?target_session_attrs=primary", "a:1 b:2", "primary"),
        ("postgres://a:1,b/shop", "a:1 b:", "any"),
        ("postgresql://[::1]:1,[::2]:2,b:3/shop?target_session_attrs=read-write", "::1:1 ::2:2 b:3", "read-write"),
        ("host=a,b port=5 dbname=shop target_session_attrs=prefer-standby", "a:5 b:5", "prefer-standby"),
        ("host=a,b hostaddr=10.0.0.1,10.0.0.2 port=5,6 dbname=shop", "10.0.0.1:5 10.0.0.2:6", "any"),
        ("jdbc:postgresql://a:1,b:2/shop?targetServerType=preferSecondary", "a:1 b:2", "prefer-standby"),
        ("postgres://a/shop?target_session_attrs=standby", "a:", "standby"),
    ] {
        assert_eq!(of(text), (servers.to_owned(), wanted), "{text}");
        // The printed address means the same servers.
        assert_eq!(of(&home().address(text).to_string()), (servers.to_owned(), wanted), "{text}");
    }
    let variables = [("PGHOST", "a,b"), ("PGPORT", "1,2"), ("PGTARGETSESSIONATTRS", "primary")];
    let address = World::new(&variables, &[]).address("postgres:///shop");
    assert_eq!((address.others.len(), address.others[0].port, address.wanted.name()), (1, Some(2), "primary"));
    for (text, expected) in [
        ("host=a,b port=1,2,3 dbname=d", "port cannot be \"1,2,3\""),
        ("host=a,b hostaddr=10.0.0.1 dbname=d", "hostaddr cannot be \"10.0.0.1\""),
        ("postgres://a,b/d?target_session_attrs=both", "it can be any, read-write, read-only, primary, standby or"),
        ("postgres://a:x,b/d", "the port in the URL is not a number"),
    ] {
        let shown = home().error(text);
        assert!(shown.contains(expected), "{text}: {shown}");
    }
}

#[test]
fn each_of_several_servers_has_its_own_password_in_the_password_file() {
    let file = ("/home/app/.pgpass", "a:1:*:*:first\nb:2:*:*:second\n");
    let address = World::new(&[("HOME", "/home/app")], &[file]).address("postgres://app@a:1,b:2/shop");
    assert_eq!((address.password(), address.others[0].password()), (Some("first"), Some("second")));
}
